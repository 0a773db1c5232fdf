//! Serves the pages over a sample fleet on 127.0.0.1, to look at while working on them:
//! `cargo run -p inkan-dashboard --example preview -- 8099`. Prints a session cookie, so that a script can look, too.
//!
//! One PC answers by itself: ask for a renewal or a checkup on SAKURA-02 and watch it move on.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a tool for whoever works on the pages")]

#[path = "../tests/stage/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod stage;

use std::net::SocketAddr;
use std::time::Duration;

use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::locale::Bilingual;
use stage::fleet::Fleet;
use stage::{MAIL, PASSWORD, Stage};

#[tokio::main]
async fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8099);
    let mut fleet = Fleet::play().await;
    fleet.stage.clock.run();
    let cookie = fleet.stage.log_in(MAIL).await;
    let bare = Stage::bare(fleet.stage.core.now()).await;
    let setup = bare.core.create_setup_link(time::Duration::hours(4)).await.expect("a database");
    let (empty, _) = Stage::staffed(fleet.stage.core.now()).await;
    let nobody = empty.log_in(MAIL).await;
    println!("full:  http://127.0.0.1:{port}/ cookie inkan={cookie}");
    println!("empty: http://127.0.0.1:{}/ cookie inkan={nobody}", port + 1);
    println!("setup: http://127.0.0.1:{}/setup/{}", port + 2, setup.unwrap_or_default());
    println!("log-in: {MAIL} / {PASSWORD} / {} (next code in 30 seconds)", fleet.stage.code());
    for name in ["SAKURA-01", "SAKURA-02", "NOTO-01", "NOTO-02", "TATEYAMA-01", "AOBA-2"] {
        println!("{name}: /hosts/{} {}", fleet.agent(name).host, fleet.certificate(name));
    }
    tokio::spawn(serve(bare.router(), port + 2));
    tokio::spawn(serve(empty.router(), port + 1));
    tokio::spawn(serve(fleet.stage.router(), port));
    let sakura = fleet.agents.iter_mut().find(|agent| agent.facts.host_name == "SAKURA-02").expect("a star");
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        sakura.step().await;
        sakura.answer_checkups(&sample_results()).await;
    }
}

/// What a doctor may say.
fn sample_results() -> Vec<CheckResult> {
    let both = |ja: &str, en: &str| Bilingual::new(ja, en);
    vec![
        CheckResult::well(Check::ProgrammeCertificate, "証明書 0110119153 があります。", "There is a certificate."),
        CheckResult::well(Check::KeyUsable, "秘密鍵で署名できます。", "The private keys sign."),
        CheckResult::unwell(
            Check::TlsVersions,
            CheckStatus::Soon,
            both("uketsuke の設定で SSL 3.0 が有効になっています。", "SSL 3.0 is switched on for uketsuke."),
            both(
                "「インターネットオプション」の「詳細設定」で SSL 3.0 のチェックを外してください。",
                "In Internet Options, Advanced: untick SSL 3.0.",
            ),
        ),
        CheckResult::unknown(Check::Proxy, "プロキシは自動構成スクリプトが決めます。", "A script chooses the proxy."),
        CheckResult::unwell(
            Check::Sites,
            CheckStatus::Now,
            both(
                "https://cert.obn.managedpki.ne.jp を開くと警告が出ます。",
                "https://cert.obn.managedpki.ne.jp shows a warning.",
            ),
            both(
                "システムのルート証明書を「信頼されたルート証明機関」に入れてください。",
                "Install the system’s root among the trusted roots.",
            ),
        ),
    ]
}

async fn serve(router: axum::Router, port: u16) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await.expect("it is served");
}
