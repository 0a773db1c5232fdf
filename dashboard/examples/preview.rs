//! Serves the pages over a sample fleet on 127.0.0.1, to look at while working on them:
//! `cargo run -p inkan-dashboard --example preview -- 8099`. Prints a session cookie, so that a script can look, too.
//!
//! One PC answers by itself: ask for a renewal on SAKURA-02 and watch it move on.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a tool for whoever works on the pages")]

#[path = "../tests/stage/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod stage;

use std::net::SocketAddr;
use std::time::Duration;

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
    }
}

async fn serve(router: axum::Router, port: u16) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await.expect("it is served");
}
