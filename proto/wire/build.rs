//! Generates the protocol's code and descriptors from `proto/inkan/v1/*.proto`, without any program from outside.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use tonic_prost_build::Config;

fn main() -> Result<(), Box<dyn Error>> {
    let proto = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    let mut compiler = protox::Compiler::new([&proto])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(["inkan/v1/parts.proto", "inkan/v1/agent.proto"])?;

    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        // It carries a join token, which no log may show: `enrolment` writes its Debug.
        .skip_debug(["inkan.v1.EnrollRequest"])
        .compile_fds_with_config(compiler.file_descriptor_set(), Config::new())?;

    // The one thing that cargo has to be told by this way.
    let mut stdout = std::io::stdout().lock();
    std::io::Write::write_fmt(&mut stdout, format_args!("cargo:rerun-if-changed={}\n", proto.join("inkan").display()))?;
    Ok(())
}
