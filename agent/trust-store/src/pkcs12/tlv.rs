//! DER elements (X.690) by tag, length and content: as much as PKCS#12's frame and private keys need.
//!
//! Every tag here fits one octet. What is longer than the bytes that are there is refused before anything is copied.

/// Tag of INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// Tag of BIT STRING.
pub(crate) const BIT_STRING: u8 = 0x03;
/// Tag of OCTET STRING.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// Tag of OBJECT IDENTIFIER.
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
/// Tag of SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;
/// Tag of `[0]`, constructed.
pub(crate) const CONTEXT_0: u8 = 0xa0;
/// Tag of `[1]`, constructed.
pub(crate) const CONTEXT_1: u8 = 0xa1;

/// Reads elements one behind the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elements<'d>(&'d [u8]);

/// One element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'d> {
    pub(crate) tag: u8,
    pub(crate) content: &'d [u8],
}

impl<'d> Elements<'d> {
    pub(crate) const fn new(der: &'d [u8]) -> Self {
        Self(der)
    }

    /// The next element, where there is a whole one.
    pub(crate) fn any(&mut self) -> Option<Element<'d>> {
        let (tag, length, header) = header(self.0)?;
        let content = self.0.get(header..header.checked_add(length?)?)?;
        self.0 = self.0.get(header + content.len()..)?;
        Some(Element { tag, content })
    }

    /// The content of the next element, where it has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'d [u8]> {
        let mut ahead = *self;
        let element = ahead.any().filter(|element| element.tag == tag)?;
        *self = ahead;
        Some(element.content)
    }

    /// The magnitude of the next element, where that is a positive INTEGER.
    pub(crate) fn magnitude(&mut self) -> Option<&'d [u8]> {
        match self.take(INTEGER)? {
            [first, ..] if first & 0x80 != 0 => None,
            [0, rest @ ..] => Some(rest),
            whole => Some(whole),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The content of an element that stands alone and has this tag.
pub(crate) fn only(der: &[u8], tag: u8) -> Option<&[u8]> {
    let mut elements = Elements::new(der);
    let content = elements.take(tag)?;
    elements.is_empty().then_some(content)
}

/// Tag, length (`None` is indefinite) and the octets of both.
pub(super) fn header(bytes: &[u8]) -> Option<(u8, Option<usize>, usize)> {
    let (&tag, rest) = bytes.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    match first {
        0..=0x7f => Some((tag, Some(usize::from(first)), 2)),
        0x80 => Some((tag, None, 2)),
        0x81..=0x84 => {
            let octets = usize::from(first & 0x7f);
            let length = rest.get(..octets)?.iter().fold(0_u32, |length, octet| length << 8 | u32::from(*octet));
            Some((tag, Some(usize::try_from(length).ok()?), 2 + octets))
        }
        _ => None,
    }
}

/// Writes an element.
pub(crate) fn write(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let length: usize = content.iter().map(|part| part.len()).sum();
    let mut der = Vec::with_capacity(length + 10);
    der.push(tag);
    write_length(&mut der, length);
    for part in content {
        der.extend_from_slice(part);
    }
    der
}

fn write_length(der: &mut Vec<u8>, length: usize) {
    let octets = length.to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    match &octets[zeros..] {
        [] => der.push(0),
        [short] if *short < 0x80 => der.push(*short),
        long => {
            der.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            der.extend_from_slice(long);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_at_each_form_of_length() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            assert_eq!(only(&write(OCTET_STRING, &[&content]), OCTET_STRING), Some(content.as_slice()));
        }
    }

    #[test]
    fn an_integer_is_positive_or_none() {
        assert_eq!(Elements::new(&[2, 2, 0, 0x80]).magnitude(), Some([0x80].as_slice()));
        assert_eq!(Elements::new(&[2, 1, 0x80]).magnitude(), None);
    }

    #[test]
    fn what_ends_early_is_no_element() {
        for bytes in
            [&[0x30, 5, 1][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30], &[0x1f, 0x81, 1, 0], &[4, 0x80]]
        {
            assert!(Elements::new(bytes).any().is_none(), "{bytes:?}");
        }
    }
}
