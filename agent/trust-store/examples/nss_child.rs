//! The child in which a browser's NSS works, as a program of its own: what the agent's hidden subcommand is, for tests that
//! do without the agent.

fn main() -> std::io::Result<()> {
    #[cfg(unix)]
    inkan_trust_store::nss::child::main(&mut std::io::stdin().lock(), &mut std::io::stdout().lock())?;
    Ok(())
}
