//! A corpus of broken certificates: every one ends as a recorded error with its SHA-256, and takes nothing else along.

use inkan_model::Fingerprint;
use inkan_tests::certificates::{SampleCa, SampleCertificate, certificate_pem, chance, pem_of, subject};
use inkan_tests::wait::{Look, wait_until};
use time::Duration;

use crate::stage::{SOON, Stage};

/// Bytes that claim to be a certificate, each broken in a way of its own.
fn corpus(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let with = |at: usize, byte: u8| {
        let mut der = good.to_vec();
        der[at] = byte;
        der
    };
    let deep: Vec<u8> = std::iter::repeat_n([0x30, 0x80], 4_000).flatten().collect();
    vec![
        ("nothing", Vec::new()),
        ("one-byte", vec![0x30]),
        ("random", chance::<700>().to_vec()),
        ("cut-in-half", good[..good.len() / 2].to_vec()),
        ("cut-by-one", good[..good.len() - 1].to_vec()),
        ("one-too-many", [good, &[0]].concat()),
        ("twice", [good, good].concat()),
        ("not-a-sequence", with(0, 0x31)),
        ("longer-than-it-is", with(3, 0xff)),
        ("endless-length", [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &good[4..]].concat()),
        ("indefinite-and-deep", deep),
        ("a-text", b"this is not a certificate".to_vec()),
        ("a-key", vec![0x30, 0x2e, 0x02, 0x01, 0x00]),
        ("zeroes", vec![0; 1_000]),
    ]
}

#[tokio::test]
async fn every_broken_certificate_is_recorded_with_its_sha_256_and_loses_nobody_else() {
    let mut stage = Stage::set().await;
    let ca = SampleCa::create("Sample CA").unwrap();
    let good = ca.issue(&subject(["medical", "toyama"], "good").unwrap(), Duration::DAY, Duration::DAY * 99).unwrap();
    let corpus = corpus(&good.der);
    for (name, der) in &corpus {
        stage.agent.write(&format!("broken-{name}.pem"), pem_of("CERTIFICATE", der)).unwrap();
        stage.agent.write(&format!("raw-{name}.der"), der).unwrap();
    }
    // Among the broken ones in one file, a good one.
    let mixed = [pem_of("CERTIFICATE", b"broken"), certificate_pem(&good.der), "garbage\n".to_owned()].concat();
    stage.agent.write("mixed.pem", mixed).unwrap();
    stage.agent.write("not-pem.pem", [0xff_u8, 0xfe, 0x00, 0x80]).unwrap();
    stage.agent.write("unfinished.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    stage.agent.write("container.p12", chance::<300>()).unwrap();
    stage.agent.restart().unwrap();

    let SampleCertificate { der, .. } = &good;
    let good = Fingerprint::of(der).to_string();
    let own = stage.agent.directory().display().to_string();
    let path = format!("locations/entries?kind=directory&path={own}");
    let entries = wait_until("the report of the corpus", SOON, async || {
        let entries = stage.of_host(&path).await;
        let done = entries.iter().any(|entry| entry["certificate"] == good.as_str());
        Ok(if done { Look::Found(entries) } else { Look::NotYet(format!("{} entries", entries.len())) })
    })
    .await
    .unwrap();

    let of = |name: &str| entries.iter().filter(|entry| entry["name"] == name).collect::<Vec<_>>();
    let mut missing = Vec::new();
    for (name, der) in &corpus {
        let sha256 = Fingerprint::of(der).to_string();
        for file in [format!("broken-{name}.pem"), format!("raw-{name}.der")] {
            let found = of(&file);
            let recorded = found.iter().any(|entry| entry["entry"] == "unreadable" && entry["why"].is_string());
            let by_sha256 = found.iter().any(|entry| entry["sha256"] == sha256.as_str());
            if !recorded || !by_sha256 {
                missing.push(format!("{file} ({sha256}): {found:?}"));
            }
        }
    }
    assert!(missing.is_empty(), "not recorded as they are: {missing:#?}");
    for file in ["unfinished.pem", "container.p12"] {
        assert!(of(file).iter().any(|entry| entry["entry"] == "unreadable"), "{file}: {:?}", of(file));
    }
    let own = stage.installations().await;
    assert!(own.iter().any(|one| one["certificate"] == stage.old.to_string()), "{own:?}");
}
