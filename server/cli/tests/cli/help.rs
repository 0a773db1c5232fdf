//! The help of every command, as people see it.

use crate::program::Home;

async fn help(commands: &[&str]) -> String {
    let home = Home::empty();
    let mut all = Vec::new();
    for command in commands {
        let mut arguments: Vec<_> = command.split_whitespace().collect();
        arguments.push("--help");
        let ran = home.run(&arguments).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{command}");
        all.push(format!("$ inkan {}\n\n{}", arguments.join(" "), ran.stdout));
    }
    all.join("\n")
}

#[tokio::test]
async fn the_help_of_every_command_is_as_it_was() {
    for (name, commands) in [
        ("inkan", &[""][..]),
        ("login", &["login"]),
        ("logout_me_overview", &["logout", "me", "overview"]),
        ("clinic", &["clinic", "clinic list", "clinic import", "clinic export", "clinic add"]),
        ("token", &["token", "token create", "token list", "token revoke"]),
        ("host", &["host", "host list", "host show", "host approve", "host suspend", "host retire"]),
        ("cert", &["cert", "cert list", "cert show"]),
        ("finding", &["finding", "finding list"]),
        ("checkup", &["checkup"]),
        ("renew", &["renew"]),
        ("renewal", &["renewal", "renewal list", "renewal show", "renewal abandon"]),
        ("completions", &["completions"]),
    ] {
        insta::assert_snapshot!(name, help(commands).await);
    }
}

#[tokio::test]
async fn every_shell_gets_a_script() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let ran = Home::empty().run(&["completions", shell]).await;
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("renewal"), "{shell}");
    }
}

#[tokio::test]
async fn what_is_not_a_command_is_wrong_usage() {
    for arguments in [&[][..], &["renewe"], &["cert", "list", "--expiring", "soon"], &["renew", "A", "3fa9"]] {
        let ran = Home::empty().run(arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
    }
}
