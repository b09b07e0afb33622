//! The strict, streaming reader of message content: DATA with its dots and
//! BDAT with its chunks (RFC 5321 section 4.5.2, RFC 3030 section 2).
//!
//! A line ends with CR LF and with nothing else. A bare CR or a bare LF
//! anywhere ends the reading at once: two servers that disagree about what
//! ends a line can be made to disagree about where a message ends, and the
//! rest of the message becomes a second one (*SMTP smuggling*). The same holds
//! in a chunk, because what we take by BDAT we pass on by DATA.
//!
//! One pass, and no copy: the pieces are slices of the input, broken only
//! where a dot is dropped. The reader takes all the input it is shown, so it
//! may be split anywhere.

use memchr::memchr2;

/// What the content of a message is bounded by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentLimits {
    /// Largest message in octets, as handed out: dots dropped, line ends
    /// counted, the final dot not.
    pub message_octets_max: u64,
    /// Longest line in octets, without its line end.
    pub line_octets_max: u64,
    /// How much more than the largest message is read and dropped, so that a
    /// client can be told that it was too large, before it is cut off.
    pub excess_octets_max: u64,
}

impl Default for ContentLimits {
    fn default() -> Self {
        ContentLimits {
            message_octets_max: 200 << 20,
            line_octets_max: 1 << 20,
            excess_octets_max: 64 << 20,
        }
    }
}

/// What is wrong with the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentFault {
    /// A CR without LF.
    #[error("bare CR in the content")]
    BareCr,
    /// A LF without CR.
    #[error("bare LF in the content")]
    BareLf,
    /// A line over the limit.
    #[error("a line of the content is too long")]
    LineTooLong,
    /// More octets than a message may have.
    #[error("the content is too large")]
    TooLarge,
}

/// What a reader found next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'i> {
    /// The next octets of the content, lines ended with CR LF.
    Content(&'i [u8]),
    /// All input is used up; the content goes on.
    More,
    /// The end: the final dot, or the end of the chunk. What follows in the
    /// input is not content. The content is good only if
    /// [`ContentReader::fault`] has nothing to say.
    End,
    /// The connection must be closed: where the content ends cannot be known
    /// any more, or it is so large that its end is not waited for.
    Broken(ContentFault),
}

/// How the end of the content is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// By a line that is a dot, which is why other dots are doubled.
    Dot,
    /// By a count of octets.
    Chunk { left: u64 },
}

/// Where in a line the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineStart,
    /// Behind a dot at the start of a line, which is not handed out.
    Dot,
    /// Behind that dot and a CR.
    DotCr,
    InLine,
    /// Behind a CR that is not handed out before its LF is seen.
    Cr,
}

/// Reads the content of one message.
#[derive(Clone, Debug)]
pub struct ContentReader {
    limits: ContentLimits,
    framing: Framing,
    place: Place,
    /// Octets of the content so far, handed out or not.
    octets: u64,
    /// Octets of the line so far.
    line: u64,
    fault: Option<ContentFault>,
}

const CRLF: &[u8] = b"\r\n";

impl ContentReader {
    /// A reader of what follows DATA.
    pub fn data(limits: ContentLimits) -> Self {
        ContentReader {
            limits,
            framing: Framing::Dot,
            place: Place::LineStart,
            octets: 0,
            line: 0,
            fault: None,
        }
    }

    /// A reader of chunks; it has none yet, see [`ContentReader::chunk`].
    pub fn chunks(limits: ContentLimits) -> Self {
        ContentReader { framing: Framing::Chunk { left: 0 }, ..ContentReader::data(limits) }
    }

    /// Announces a chunk of `octets`, to be called only between chunks.
    ///
    /// A chunk that makes the message too large is a fault at once, so that
    /// none of it is handed out; it is still read.
    pub fn chunk(&mut self, octets: u64) {
        self.framing = Framing::Chunk { left: octets };
        if self.octets.saturating_add(octets) > self.limits.message_octets_max {
            self.fault.get_or_insert(ContentFault::TooLarge);
        }
    }

    /// Whether a chunk of `octets` is more than is read even to be dropped.
    pub fn is_beyond_reading(&self, octets: u64) -> bool {
        self.octets.saturating_add(octets) > self.octets_read_max()
    }

    /// Ends content that came in chunks. Content whose last line has no end
    /// gets one, returned here: on its way by DATA it would get it anyway.
    ///
    /// # Errors
    /// The content ends with a bare CR.
    pub fn finish_chunks(&mut self) -> Result<&'static [u8], ContentFault> {
        match self.place {
            Place::LineStart => Ok(b""),
            Place::Cr => Err(ContentFault::BareCr),
            Place::InLine | Place::Dot | Place::DotCr => {
                self.octets = self.octets.saturating_add(2);
                self.place = Place::LineStart;
                Ok(CRLF)
            }
        }
    }

    /// Octets of the content so far, as handed out; after a fault, as they
    /// would have been.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// What is wrong with the content so far. After a fault nothing more is
    /// handed out, and the rest is read and dropped.
    pub fn fault(&self) -> Option<ContentFault> {
        self.fault
    }

    fn octets_read_max(&self) -> u64 {
        self.limits.message_octets_max.saturating_add(self.limits.excess_octets_max)
    }

    /// Takes from `input` and returns what it is.
    pub fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Piece<'i> {
        loop {
            let piece = match self.framing {
                Framing::Dot => self.step(input),
                Framing::Chunk { left: 0 } => return Piece::End,
                Framing::Chunk { left } => self.step_in_chunk(left, input),
            };
            match piece {
                // What is dropped after a fault, and steps that only move on.
                Step::Run(run) if run.is_empty() || self.fault.is_some() => {}
                Step::Run(run) => return Piece::Content(run),
                Step::More => return Piece::More,
                Step::End => return Piece::End,
                Step::Broken(fault) => {
                    self.fault = Some(fault);
                    return Piece::Broken(fault);
                }
            }
        }
    }

    fn step_in_chunk<'i>(&mut self, left: u64, input: &mut &'i [u8]) -> Step<'i> {
        let within = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (mut chunk, after) = input.split_at(within);
        let step = self.step(&mut chunk);
        let used = within - chunk.len();
        *input = if chunk.is_empty() { after } else { input.split_at(used).1 };
        self.framing = Framing::Chunk { left: left.saturating_sub(used as u64) };
        step
    }

    /// One step of the machine: takes at least one octet, unless there is
    /// none.
    fn step<'i>(&mut self, input: &mut &'i [u8]) -> Step<'i> {
        let Some(&next) = input.first() else { return Step::More };
        match (self.place, next) {
            (Place::LineStart, b'.') if self.framing == Framing::Dot => {
                self.skip(input, Place::Dot)
            }
            (Place::Dot, b'\r') => self.skip(input, Place::DotCr),
            (Place::DotCr, b'\n') => {
                self.skip(input, Place::LineStart);
                Step::End
            }
            (Place::DotCr, _) => Step::Broken(ContentFault::BareCr),
            (Place::Cr, b'\n') => {
                self.skip(input, Place::LineStart);
                self.line = 0;
                self.count(CRLF)
            }
            (Place::Cr, _) => Step::Broken(ContentFault::BareCr),
            (Place::LineStart | Place::Dot | Place::InLine, _) => self.lines(input),
        }
    }

    fn skip<'i>(&mut self, input: &mut &'i [u8], place: Place) -> Step<'i> {
        *input = input.split_at(1).1;
        self.place = place;
        Step::Run(b"")
    }

    /// Takes lines and the part of one up to a dot at the start of a line, a
    /// CR whose LF is still to come, or the end of the input.
    fn lines<'i>(&mut self, input: &mut &'i [u8]) -> Step<'i> {
        let whole = *input;
        let mut rest = whole;
        self.place = Place::InLine;
        while let Some(at) = memchr2(b'\r', b'\n', rest) {
            let (text, end) = rest.split_at(at);
            self.measure(text.len());
            match end {
                [b'\r', b'\n', after @ ..] => {
                    rest = after;
                    self.line = 0;
                    self.place = Place::LineStart;
                }
                [b'\r'] => {
                    *input = &[];
                    self.place = Place::Cr;
                    return self.count(before(whole, end));
                }
                [b'\r', ..] => return Step::Broken(ContentFault::BareCr),
                _ => return Step::Broken(ContentFault::BareLf),
            }
            if rest.first() == Some(&b'.') && self.framing == Framing::Dot {
                break;
            }
            if !rest.is_empty() {
                self.place = Place::InLine;
            }
        }
        if self.place == Place::InLine {
            self.measure(rest.len());
            rest = &[];
        }
        *input = rest;
        self.count(before(whole, rest))
    }

    /// Adds to the length of the line.
    fn measure(&mut self, octets: usize) {
        self.line = self.line.saturating_add(octets as u64);
        if self.line > self.limits.line_octets_max {
            self.fault.get_or_insert(ContentFault::LineTooLong);
        }
    }

    /// Adds to the size of the content.
    fn count<'i>(&mut self, run: &'i [u8]) -> Step<'i> {
        self.octets = self.octets.saturating_add(run.len() as u64);
        if self.octets > self.octets_read_max() {
            return Step::Broken(ContentFault::TooLarge);
        }
        if self.octets > self.limits.message_octets_max {
            self.fault.get_or_insert(ContentFault::TooLarge);
        }
        Step::Run(run)
    }
}

/// What one step of the machine found.
enum Step<'i> {
    Run(&'i [u8]),
    More,
    End,
    Broken(ContentFault),
}

/// The part of `whole` in front of its tail.
fn before<'i>(whole: &'i [u8], tail: &[u8]) -> &'i [u8] {
    whole.split_at(whole.len() - tail.len()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContentWriter;
    use proptest::prelude::*;

    /// What a reader made of the input: content, verdict, octets left over.
    #[derive(Debug, PartialEq, Eq)]
    struct Reading {
        content: Vec<u8>,
        result: Result<(), ContentFault>,
        ended: bool,
        left: usize,
    }

    fn small() -> ContentLimits {
        ContentLimits { message_octets_max: 60, line_octets_max: 12, excess_octets_max: 40 }
    }

    /// Reads `input` cut into parts of the given sizes, the rest in one.
    fn read(mut reader: ContentReader, input: &[u8], cuts: &[usize]) -> Reading {
        let mut content = Vec::new();
        let mut from = 0;
        let mut cuts = cuts.iter();
        while from < input.len() {
            let size = cuts.next().copied().unwrap_or(usize::MAX);
            let to = from.saturating_add(size.max(1)).min(input.len());
            let mut part = &input[from..to];
            loop {
                let left = |part: &[u8]| part.len() + input.len() - to;
                match reader.advance(&mut part) {
                    Piece::Content(octets) => {
                        assert!(!octets.is_empty());
                        content.extend_from_slice(octets);
                    }
                    Piece::More => break,
                    Piece::End => {
                        let result = reader.fault().map_or(Ok(()), Err);
                        return Reading { content, result, ended: true, left: left(part) };
                    }
                    Piece::Broken(fault) => {
                        return Reading { content, result: Err(fault), ended: false, left: 0 };
                    }
                }
            }
            assert!(part.is_empty(), "the reader takes all it is shown");
            from = to;
        }
        let result = reader.fault().map_or(Ok(()), Err);
        Reading { content, result, ended: false, left: 0 }
    }

    /// The same by the letter of RFC 5321 section 4.5.2, octet by octet and
    /// with everything in memory; no limits.
    fn naive(input: &[u8]) -> Reading {
        let mut content = Vec::new();
        let mut line = Vec::new();
        let mut octets = input.iter().copied().enumerate().peekable();
        let broken = |content: &[u8], fault| Reading {
            content: content.to_vec(),
            result: Err(fault),
            ended: false,
            left: 0,
        };
        while let Some((at, octet)) = octets.next() {
            match (octet, octets.peek().map(|(_, next)| *next)) {
                (b'\n', _) => return broken(&content, ContentFault::BareLf),
                (b'\r', None) => {}
                (b'\r', Some(b'\n')) => {
                    octets.next();
                    if line == b"." {
                        let left = input.len() - at - 2;
                        return Reading { content, result: Ok(()), ended: true, left };
                    }
                    content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                    content.extend_from_slice(b"\r\n");
                    line.clear();
                }
                (b'\r', Some(_)) => return broken(&content, ContentFault::BareCr),
                _ => line.push(octet),
            }
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        Reading { content, result: Ok(()), ended: false, left: 0 }
    }

    /// Octets that matter are frequent.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(b"\r\n".to_vec()),
            2 => Just(b".".to_vec()),
            1 => Just(b"\r\n.\r\n".to_vec()),
            1 => Just(b"\r".to_vec()),
            1 => Just(b"\n".to_vec()),
            4 => proptest::collection::vec(any::<u8>(), 0..6),
        ];
        proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    /// Content of well-formed lines.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let octet = any::<u8>().prop_filter("no line ends", |b| !matches!(b, b'\r' | b'\n'));
        let octet = prop_oneof![octet, Just(b'.')];
        let line = proptest::collection::vec(octet, 0..20);
        proptest::collection::vec(line, 0..20).prop_map(|lines| {
            lines.into_iter().flat_map(|line| [line, CRLF.to_vec()].concat()).collect()
        })
    }

    proptest! {
        #[test]
        fn equals_the_naive_reader(input in hostile(), cuts in proptest::collection::vec(1usize..5, 0..40)) {
            let found = read(ContentReader::data(ContentLimits::default()), &input, &cuts);
            let expected = naive(&input);
            prop_assert_eq!(found.result, expected.result);
            prop_assert_eq!(found.ended, expected.ended);
            prop_assert_eq!(found.left, expected.left);
            if found.result.is_ok() {
                prop_assert_eq!(found.content, expected.content);
            }
        }

        #[test]
        fn the_limits_hold_however_the_input_is_cut(input in hostile(), cuts in proptest::collection::vec(1usize..5, 0..40)) {
            let found = read(ContentReader::data(small()), &input, &cuts);
            let whole = read(ContentReader::data(small()), &input, &[]);
            prop_assert!(found.content.len() <= 60);
            prop_assert_eq!(found.ended, whole.ended);
            if found.ended {
                prop_assert_eq!(found.result.is_ok(), whole.result.is_ok());
                prop_assert_eq!(found.left, whole.left);
            }
        }

        #[test]
        fn what_the_writer_writes_the_reader_reads(content in lines(), cuts in proptest::collection::vec(1usize..7, 0..40)) {
            let mut writer = ContentWriter::new();
            let mut wire = Vec::new();
            let mut from = 0;
            for cut in &cuts {
                let to = (from + cut).min(content.len());
                writer.append(&content[from..to], &mut wire);
                from = to;
            }
            writer.append(&content[from..], &mut wire);
            wire.extend_from_slice(writer.finish());
            wire.extend_from_slice(b"QUIT\r\n");
            let found = read(ContentReader::data(ContentLimits::default()), &wire, &cuts);
            prop_assert_eq!(found.content, content);
            prop_assert!(found.ended);
            prop_assert_eq!(found.left, 6);
        }

        #[test]
        fn a_chunk_is_its_octets(content in lines(), more in hostile(), cuts in proptest::collection::vec(1usize..7, 0..40)) {
            let mut reader = ContentReader::chunks(ContentLimits::default());
            reader.chunk(content.len() as u64);
            let wire = [content.clone(), more.clone()].concat();
            if !wire.is_empty() {
                let found = read(reader, &wire, &cuts);
                prop_assert_eq!(&found.content, &content);
                if !more.is_empty() {
                    prop_assert!(found.ended);
                    prop_assert_eq!(found.left, more.len());
                }
            }
        }
    }

    #[test]
    fn pieces_are_slices_of_the_input() {
        let input = b"one\r\ntwo\r\nthree\r\n.\r\n";
        let mut rest = &input[..];
        let mut reader = ContentReader::data(ContentLimits::default());
        let first = reader.advance(&mut rest);
        assert_eq!(first, Piece::Content(&input[..17]));
        assert_eq!(reader.advance(&mut rest), Piece::End);
        assert_eq!(reader.octets(), 17);
    }
}
