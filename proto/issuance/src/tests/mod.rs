//! Whole ways through the crate, on names written by hand and with openssl as an independent reader.

mod authorities;
mod identities;
mod openssl;
mod requests;

use inkan_model::Timestamp;
use proptest::prelude::*;
use time::Duration;

use crate::key::SoftwareKey;
use crate::private_ca::{CertificationAuthority, Order, PrivateCa};

const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const TELETEX: u8 = 0x14;
const BMP: u8 = 0x1e;

/// 2026-01-01T00:00:00Z.
fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_767_225_600)
}

/// One DER value, with its length in as many octets as DER wants.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![tag];
    match length {
        0..=0x7f => der.push(u8::try_from(length).unwrap()),
        0x80..=0xff => der.extend([0x81, u8::try_from(length).unwrap()]),
        _ => der.extend([0x82, u8::try_from(length >> 8).unwrap(), u8::try_from(length & 0xff).unwrap()]),
    }
    der.extend_from_slice(content);
    der
}

/// One attribute of the arc 2.5.4: 3 common name, 6 country, 10 organisation, 11 organisational unit.
fn attribute(kind: u8, string: u8, text: &[u8]) -> Vec<u8> {
    tlv(0x30, &[vec![0x06, 0x03, 0x55, 0x04, kind], tlv(string, text)].concat())
}

/// A name of RDNs, each of which has one or more attributes in the order given.
fn name(rdns: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let rdns: Vec<u8> = rdns.iter().flat_map(|attributes| tlv(0x31, &attributes.concat())).collect();
    tlv(0x30, &rdns)
}

/// The kind of subject that this is all about: two organisational units in RDNs of their own, mixed string types.
fn two_units() -> Vec<u8> {
    name(&[
        vec![attribute(6, PRINTABLE, b"JP")],
        vec![attribute(10, UTF8, "レセプト".as_bytes())],
        vec![attribute(11, PRINTABLE, b"13")],
        vec![attribute(11, UTF8, b"medical")],
        vec![attribute(3, PRINTABLE, b"1312345671-0001")],
    ])
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let one = (
        prop::sample::select(vec![3_u8, 6, 10, 11]),
        prop::sample::select(vec![UTF8, PRINTABLE, TELETEX]),
        "[A-Za-z0-9 ]{1,20}",
    );
    let one = one.prop_map(|(kind, string, text)| attribute(kind, string, text.as_bytes()));
    let wide = (prop::sample::select(vec![3_u8, 11]), prop::collection::vec(any::<[u8; 2]>(), 1..6))
        .prop_map(|(kind, units)| attribute(kind, BMP, &units.concat()));
    let rdn = prop::collection::vec(prop_oneof![4 => one, 1 => wide], 1..3);
    prop::collection::vec(rdn, 1..6).prop_map(|rdns| name(&rdns))
}

fn private_ca() -> PrivateCa {
    PrivateCa::create("Private CA of a vendor", [1; 16], now(), Duration::days(3_650)).unwrap()
}

fn order(subject: &[u8], spki: &[u8]) -> Order {
    Order {
        subject_der: subject.to_vec(),
        spki_der: spki.to_vec(),
        serial: [0x5a; 16],
        not_before: now(),
        not_after: now().plus(Duration::days(365)),
    }
}

/// A leaf for a new key.
fn leaf(ca: &PrivateCa, subject: &[u8]) -> Vec<u8> {
    ca.issue(&order(subject, &SoftwareKey::generate().unwrap().spki())).unwrap().remove(0)
}
