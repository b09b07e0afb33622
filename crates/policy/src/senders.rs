//! Placeholder while the index is written.
use types::lists::ManagedSender;
use crate::objects::SenderChange;
#[derive(Clone, Debug)]
pub(crate) struct SenderIndex { len: usize }
impl SenderIndex {
    pub(crate) fn compile(s: &[ManagedSender]) -> Self { SenderIndex { len: s.len() } }
    pub(crate) fn changed(&self, _: &[SenderChange]) -> Self { self.clone() }
    pub(crate) fn len(&self) -> usize { self.len }
}
