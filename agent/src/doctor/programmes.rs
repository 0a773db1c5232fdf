//! The programmes that a PC can be examined for: those shipped with the agent, so that a PC off the network can be
//! examined too, and a file that a person names.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use inkan_model::limits;
use inkan_model::programme::{InvalidProgramme, Programme};

macro_rules! shipped {
    ($($id:literal),* $(,)?) => {
        /// Names and texts of the shipped files.
        const SHIPPED: &[(&str, &str)] =
            &[$((concat!($id, ".toml"), include_str!(concat!("../../../server/programmes/", $id, ".toml")))),*];
    };
}

shipped!("common-ca", "iij-renrakucho", "online-billing", "rokin-cjs", "secom-passport");

/// A programme that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ProgrammeError {
    /// Neither shipped nor a file.
    #[error("there is no programme {given}, nor a file of that name; shipped are: {known}")]
    Unknown {
        /// What was asked for.
        given: String,
        /// Identifiers of those that are shipped.
        known: String,
    },
    /// The file cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// What is in it cannot be used.
    #[error("the programme cannot be used")]
    Invalid(#[source] InvalidProgramme),
}

/// All that are shipped.
pub fn shipped() -> Result<Vec<Programme>, ProgrammeError> {
    let read = |(file, text): &(&str, &str)| Programme::from_toml(file, text);
    SHIPPED.iter().map(read).collect::<Result<_, _>>().map_err(ProgrammeError::Invalid)
}

/// The programme of this identifier, or of this file.
pub fn find(given: &str) -> Result<Programme, ProgrammeError> {
    let shipped = shipped()?;
    let known = || shipped.iter().map(|programme| programme.id.to_string()).collect::<Vec<_>>().join(", ");
    if let Some(programme) = shipped.iter().find(|programme| programme.id.as_str() == given) {
        return Ok(programme.clone());
    }
    let path = Path::new(given);
    if !path.is_file() {
        return Err(ProgrammeError::Unknown { given: limits::tame_text(given, limits::SHORT_TEXT), known: known() });
    }
    let failed = |cause| ProgrammeError::Read { path: path.to_path_buf(), cause };
    let mut text = String::new();
    let most = limits::PROGRAMME_BYTES as u64 + 1;
    std::fs::File::open(path).map_err(failed)?.take(most).read_to_string(&mut text).map_err(failed)?;
    Programme::from_toml(given, &text).map_err(ProgrammeError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::with_causes;

    #[test]
    fn every_shipped_programme_is_valid_and_named_like_its_file() {
        let shipped = shipped().unwrap();
        assert_eq!(shipped.len(), SHIPPED.len());
        for (programme, (file, _)) in shipped.iter().zip(SHIPPED) {
            assert_eq!(format!("{}.toml", programme.id), *file);
            assert_eq!(find(programme.id.as_str()).unwrap(), *programme);
        }
    }

    #[test]
    fn every_programme_file_of_the_server_is_shipped() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/programmes");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "toml"))
            .collect();
        files.sort_unstable();
        assert_eq!(files, SHIPPED.iter().map(|(file, _)| *file).collect::<Vec<_>>());
    }

    #[test]
    fn a_file_is_read_and_a_wrong_one_is_refused_by_line_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        let name = path.to_str().unwrap();
        std::fs::write(&path, "[programme]\nid = \"own\"\nnames = { ja = \"自前\", en = \"Own\" }\n").unwrap();
        assert_eq!(find(name).unwrap().id.as_str(), "own");
        std::fs::write(&path, "[programme]\nid = \"own\"\n").unwrap();
        let refused = with_causes(&find(name).unwrap_err());
        assert!(refused.contains("own.toml, line 1") && refused.contains("names"), "{refused}");
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_that_are_known() {
        let refused = find("common_ca").unwrap_err().to_string();
        assert!(refused.contains("common_ca") && refused.contains("secom-passport"), "{refused}");
    }
}
