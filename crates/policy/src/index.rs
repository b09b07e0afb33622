//! Placeholder while the index is written.
use types::policy::BasePolicies;
use types::lists::Group;
use crate::objects::StoredPolicy;
#[derive(Debug)]
pub(crate) struct PolicyIndex { internal: Vec<String> }
impl PolicyIndex {
    pub(crate) fn compile(_: Vec<StoredPolicy>, _: &[Group], base: &BasePolicies) -> Self {
        PolicyIndex { internal: base.domains.iter().map(|(d, _)| d.to_string()).collect() }
    }
    pub(crate) fn is_internal(&self, key: &str) -> bool { self.internal.iter().any(|d| d == key) }
}
