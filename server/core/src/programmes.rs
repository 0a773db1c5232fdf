//! The programmes that the server knows: those that are shipped.

use inkan_model::programme::{InvalidProgramme, Programme};

macro_rules! shipped {
    ($($id:literal),* $(,)?) => {
        /// Names and texts of the shipped files.
        const SHIPPED: &[(&str, &str)] =
            &[$((concat!($id, ".toml"), include_str!(concat!("../../programmes/", $id, ".toml")))),*];
    };
}

shipped!("common-ca", "iij-renrakucho", "online-billing", "rokin-cjs", "secom-passport");

/// All that are shipped, by identifier.
///
/// # Errors
/// Names the file that is wrong; a test reads them all.
pub fn shipped() -> Result<Vec<Programme>, InvalidProgramme> {
    SHIPPED.iter().map(|(file, text)| Programme::from_toml(file, text)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_in_the_folder_is_shipped_and_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../programmes");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "toml"))
            .collect();
        files.sort_unstable();
        assert_eq!(files, SHIPPED.iter().map(|(file, _)| *file).collect::<Vec<_>>());
        let ids: Vec<_> = shipped().unwrap().iter().map(|programme| format!("{}.toml", programme.id)).collect();
        assert_eq!(ids, files);
    }
}
