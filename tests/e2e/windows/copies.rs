//! A copy of an enrolled PC is not that PC.

use std::process::Command;

use inkan_tests::process::run;

use crate::stage::{Stage, pc, token};

/// Another Windows than every fresh one of the tests.
const ANOTHER: &str = "7d1f5f3e-2c8f-4f07-9a55-2f1d0d7c9b11";

#[tokio::test]
async fn a_copy_on_another_pc_is_refused_and_can_be_enrolled_by_itself() {
    let Some(stage) = Stage::set().await else { return };
    let copy = pc().unwrap();
    copy.windows().set_registry(r"HKLM\SOFTWARE\Microsoft\Cryptography", "MachineGuid", ANOTHER).unwrap();
    let mut command = Command::new("cp");
    command.arg("--archive").arg(stage.agent.windows().on_drive_c("ProgramData/inkan"));
    command.arg(copy.windows().on_drive_c("ProgramData"));
    run(command).unwrap();

    let refused = copy.command(&["run"]).unwrap_err().to_string();
    assert!(refused.contains("another") && refused.contains("--replace"), "{refused}");

    copy.enroll(&stage.deployment, &token(&stage.deployment).await, &["--replace"]).unwrap();
    let hosts = stage.hosts().await;
    assert_eq!(hosts.len(), 2, "{hosts:?}");
}
