//! BER (X.690 §8) brought to DER, as far as PKCS#12 files of NSS need it: lengths that are not known beforehand, and
//! OCTET STRINGs in pieces.
//!
//! Content of an OCTET STRING is bytes and stays as it is, even where it is BER again. The depth is bounded, each octet
//! is looked at a bounded number of times, and what is DER already is given back unchanged. Must never guess: what
//! cannot be told is refused.

use std::borrow::Cow;

use super::tlv::{self, CONTEXT_0, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};

/// How deep elements may stand in each other. PKCS#12 needs ten.
const DEPTH: usize = 24;
/// The bit of a tag that says that its content is elements.
const CONSTRUCTED: u8 = 0x20;
/// An OCTET STRING in pieces.
const PIECES: u8 = OCTET_STRING | CONSTRUCTED;
/// `[0]` in the place of an OCTET STRING's tag.
const CONTEXT_0_PRIMITIVE: u8 = CONTEXT_0 & !CONSTRUCTED;

/// Bytes that are not BER, or BER of a form that PKCS#12 files do not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum InvalidBer {
    #[error("elements stand too deep in each other")]
    Depth,
    #[error("bytes follow the last element")]
    Trailing,
    #[error("an element is cut short or has a tag that is not expected")]
    Truncated,
    #[error("an OCTET STRING has pieces that are none")]
    Pieces,
}

/// Brings one element to DER. DER comes back as it is.
pub(super) fn to_der(bytes: &[u8]) -> Result<Cow<'_, [u8]>, InvalidBer> {
    let (element, rest) = read(bytes, DEPTH)?;
    if !rest.is_empty() {
        return Err(InvalidBer::Trailing);
    }
    let der = element.to_der();
    Ok(if der == bytes { Cow::Borrowed(bytes) } else { Cow::Owned(der) })
}

/// An element of which all lengths are known.
enum Node<'b> {
    Primitive { tag: u8, content: &'b [u8] },
    Joined { tag: u8, pieces: Vec<&'b [u8]> },
    Constructed { tag: u8, children: Vec<Node<'b>> },
}

impl<'b> Node<'b> {
    fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Primitive { tag, content } => tlv::write(*tag, &[content]),
            Self::Joined { tag, pieces } => tlv::write(*tag, pieces),
            Self::Constructed { tag, children } => {
                let children: Vec<_> = children.iter().map(Node::to_der).collect();
                tlv::write(*tag, &children.iter().map(Vec::as_slice).collect::<Vec<_>>())
            }
        }
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::Primitive { tag, .. } | Self::Joined { tag, .. } | Self::Constructed { tag, .. } => *tag,
        }
    }

    /// The pieces of an OCTET STRING, whole or not.
    fn pieces(self) -> Result<Vec<&'b [u8]>, InvalidBer> {
        match self {
            Self::Primitive { tag: OCTET_STRING, content } => Ok(vec![content]),
            Self::Joined { tag: OCTET_STRING, pieces } => Ok(pieces),
            _ => Err(InvalidBer::Pieces),
        }
    }
}

/// Reads one element, and what stands behind it.
fn read(bytes: &[u8], depth: usize) -> Result<(Node<'_>, &[u8]), InvalidBer> {
    let depth = depth.checked_sub(1).ok_or(InvalidBer::Depth)?;
    let (tag, length, header) = tlv::header(bytes).ok_or(InvalidBer::Truncated)?;
    let body = bytes.get(header..).ok_or(InvalidBer::Truncated)?;
    let (children, rest) = match length {
        None if tag & CONSTRUCTED == 0 => return Err(InvalidBer::Truncated),
        None => children_until_end(body, depth)?,
        Some(length) => {
            let (content, rest) = body.split_at_checked(length).ok_or(InvalidBer::Truncated)?;
            if tag & CONSTRUCTED == 0 {
                return Ok((Node::Primitive { tag, content }, rest));
            }
            (children(content, depth)?, rest)
        }
    };
    Ok((assemble(tag, children)?, rest))
}

fn children(mut content: &[u8], depth: usize) -> Result<Vec<Node<'_>>, InvalidBer> {
    let mut children = Vec::new();
    while !content.is_empty() {
        let (child, rest) = read(content, depth)?;
        children.push(child);
        content = rest;
    }
    Ok(children)
}

/// Children up to the end-of-contents octets (X.690 §8.1.5), and what stands behind those.
fn children_until_end(mut content: &[u8], depth: usize) -> Result<(Vec<Node<'_>>, &[u8]), InvalidBer> {
    let mut children = Vec::new();
    loop {
        if let Some(rest) = content.strip_prefix(&[0, 0]) {
            return Ok((children, rest));
        }
        let (child, rest) = read(content, depth)?;
        children.push(child);
        content = rest;
    }
}

fn assemble(tag: u8, children: Vec<Node<'_>>) -> Result<Node<'_>, InvalidBer> {
    if tag == PIECES {
        return join(OCTET_STRING, children);
    }
    let mut children = children;
    if tag == SEQUENCE && is_encrypted_content(&children) {
        // EncryptedContentInfo (RFC 5652 §8): its `[0]` stands for the OCTET STRING's own tag, so it can be in pieces.
        if let Some(Node::Constructed { tag: _, children: pieces }) = children.pop() {
            children.push(join(CONTEXT_0_PRIMITIVE, pieces)?);
        }
    }
    Ok(Node::Constructed { tag, children })
}

/// No other structure of PKCS#12 has a `[0]` behind an object identifier and a sequence.
fn is_encrypted_content(children: &[Node<'_>]) -> bool {
    children.iter().map(Node::tag).eq([OBJECT_IDENTIFIER, SEQUENCE, CONTEXT_0])
}

fn join(tag: u8, children: Vec<Node<'_>>) -> Result<Node<'_>, InvalidBer> {
    let mut pieces = Vec::new();
    for child in children {
        pieces.extend(child.pieces()?);
    }
    Ok(Node::Joined { tag, pieces })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn der() -> impl Strategy<Value = Vec<u8>> {
        let bytes = proptest::collection::vec(any::<u8>(), 0..40);
        let leaf = (prop_oneof![Just(2_u8), Just(4), Just(5), Just(6), Just(0x80)], bytes)
            .prop_map(|(tag, content)| tlv::write(tag, &[&content]));
        leaf.prop_recursive(4, 32, 5, |inner| {
            (prop_oneof![Just(0x30_u8), Just(0x31), Just(0xa1)], proptest::collection::vec(inner, 0..5))
                .prop_map(|(tag, children)| tlv::write(tag, &children.iter().map(Vec::as_slice).collect::<Vec<_>>()))
        })
    }

    /// The same as BER with each length left open and each OCTET STRING cut in two.
    fn loosen(der: &[u8]) -> Vec<u8> {
        let mut elements = tlv::Elements::new(der);
        let mut ber = Vec::new();
        while let Some(element) = elements.any() {
            if element.tag == OCTET_STRING {
                let (first, second) = element.content.split_at(element.content.len() / 2);
                ber.extend([PIECES, 0x80]);
                ber.extend(tlv::write(OCTET_STRING, &[first]));
                ber.extend(tlv::write(OCTET_STRING, &[second]));
                ber.extend([0, 0]);
            } else if element.tag & CONSTRUCTED != 0 {
                ber.extend([element.tag, 0x80]);
                ber.extend(loosen(element.content));
                ber.extend([0, 0]);
            } else {
                ber.extend(tlv::write(element.tag, &[element.content]));
            }
        }
        ber
    }

    proptest! {
        #[test]
        fn der_stays_as_it_is(der in der()) {
            prop_assert!(matches!(to_der(&der), Ok(Cow::Borrowed(same)) if same == der));
        }

        #[test]
        fn ber_of_it_comes_back_to_it(der in der()) {
            let ber = loosen(&der);
            prop_assert_eq!(to_der(&ber).unwrap().into_owned(), der);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic_and_come_out_no_larger_than_twice(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            if let Ok(der) = to_der(&bytes) {
                prop_assert!(der.len() <= bytes.len() * 2);
                prop_assert!(matches!(to_der(&der), Ok(Cow::Borrowed(_))));
            }
        }

        #[test]
        fn ber_with_a_changed_byte_is_read_without_a_panic(
            der in der(),
            at in any::<prop::sample::Index>(),
            to in any::<u8>(),
        ) {
            let mut ber = loosen(&der);
            let at = at.index(ber.len());
            ber[at] = to;
            let _ = to_der(&ber);
        }
    }

    #[test]
    fn what_is_too_deep_or_goes_on_is_refused() {
        let deep = [[0x30_u8, 0x80]; 1000].concat();
        assert_eq!(to_der(&deep), Err(InvalidBer::Depth));
        assert_eq!(to_der(&[5, 0, 0]), Err(InvalidBer::Trailing));
        assert_eq!(to_der(&[PIECES, 0x80, 2, 1, 0, 0, 0]), Err(InvalidBer::Pieces));
        assert_eq!(to_der(&[0x30, 0x80, 5, 0]), Err(InvalidBer::Truncated));
    }

    #[test]
    fn encrypted_content_in_pieces_keeps_its_tag() {
        let loose = [
            [SEQUENCE, 0x80].as_slice(),
            &[6, 1, 42],
            &[SEQUENCE, 0],
            &[CONTEXT_0, 0x80, 4, 1, 1, 4, 2, 2, 3, 0, 0],
            &[0, 0],
        ]
        .concat();
        assert_eq!(*to_der(&loose).unwrap(), [SEQUENCE, 10, 6, 1, 42, SEQUENCE, 0, 0x80, 3, 1, 2, 3]);
    }
}
