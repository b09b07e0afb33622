//! However content is cut, the reader ends at the same place with the same
//! result. The first octet says where to cut.
#![no_main]

use smtp::{ContentLimits, ContentReader, Piece};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((cut, content)) = data.split_first() else { return };
    let (one, two) = content.split_at(usize::from(*cut).min(content.len()));
    assert_eq!(read(&[content]), read(&[one, two]));
});

/// The content, whether and how it ended.
fn read(parts: &[&[u8]]) -> Option<Vec<u8>> {
    let mut reader = ContentReader::data(ContentLimits::default());
    let mut content = Vec::new();
    for part in parts {
        let mut input = *part;
        loop {
            match reader.advance(&mut input) {
                Piece::Content(octets) => content.extend_from_slice(octets),
                Piece::More => break,
                Piece::End => return Some(content),
                Piece::Broken(_) => return None,
            }
        }
    }
    None
}
