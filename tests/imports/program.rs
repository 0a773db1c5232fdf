//! What the loader reads of a Windows program.

use std::path::Path;

use object::LittleEndian as LE;
use object::pe::{
    IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_NX_COMPAT, ImageNtHeaders32, ImageNtHeaders64,
};
use object::read::pe::{ImageNtHeaders, ImageOptionalHeader, Import as Thunk, PeFile};

/// One function that the program asks for.
#[derive(Debug)]
pub(crate) struct Import {
    /// In small letters.
    pub(crate) library: String,
    /// Its name, or `#` and its number.
    pub(crate) function: String,
}

/// A Windows program.
pub(crate) struct Program {
    pub(crate) is_64_bit: bool,
    /// Whether its data cannot run and its place in memory is chosen anew each time.
    pub(crate) is_hardened: bool,
    /// The oldest Windows that starts it, by its header.
    pub(crate) wants: (u16, u16),
    pub(crate) imports: Vec<Import>,
}

impl Program {
    /// Reads a program; a file that is none fails the test.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        match object::FileKind::parse(&*bytes).unwrap() {
            object::FileKind::Pe32 => Self::parse::<ImageNtHeaders32>(&bytes, false),
            object::FileKind::Pe64 => Self::parse::<ImageNtHeaders64>(&bytes, true),
            other => panic!("{} is no Windows program but {other:?}", path.display()),
        }
    }

    fn parse<Pe: ImageNtHeaders>(bytes: &[u8], is_64_bit: bool) -> Self {
        let file = PeFile::<Pe>::parse(bytes).unwrap();
        let header = file.nt_headers().optional_header();
        let systems = (header.major_operating_system_version(), header.minor_operating_system_version());
        let subsystem = (header.major_subsystem_version(), header.minor_subsystem_version());
        let hardened = IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE | IMAGE_DLLCHARACTERISTICS_NX_COMPAT;
        Self {
            is_64_bit,
            is_hardened: header.dll_characteristics() & hardened == hardened,
            wants: systems.max(subsystem),
            imports: at_start(&file).into_iter().chain(when_needed(&file)).collect(),
        }
    }
}

/// Without each of these the program does not start.
fn at_start<Pe: ImageNtHeaders>(file: &PeFile<'_, Pe>) -> Vec<Import> {
    let Some(table) = file.import_table().unwrap() else { return Vec::new() };
    let (mut found, mut libraries) = (Vec::new(), table.descriptors().unwrap());
    while let Some(library) = libraries.next().unwrap() {
        let name = text(table.name(library.name.get(LE)).unwrap()).to_lowercase();
        let first = library.original_first_thunk.get(LE);
        let first = if first == 0 { library.first_thunk.get(LE) } else { first };
        let mut thunks = table.thunks(first).unwrap();
        while let Some(thunk) = thunks.next::<Pe>().unwrap() {
            let function = named(table.import::<Pe>(thunk).unwrap());
            found.push(Import { library: name.clone(), function });
        }
    }
    found
}

/// Without each of these the program ends where it first needs it.
fn when_needed<Pe: ImageNtHeaders>(file: &PeFile<'_, Pe>) -> Vec<Import> {
    let directories = file.data_directories();
    let table = directories.delay_load_import_table(file.data(), &file.section_table()).unwrap();
    let Some(table) = table else { return Vec::new() };
    let (mut found, mut libraries) = (Vec::new(), table.descriptors().unwrap());
    while let Some(library) = libraries.next().unwrap() {
        let name = text(table.name(library.dll_name_rva.get(LE)).unwrap()).to_lowercase();
        let mut thunks = table.thunks(library.import_name_table_rva.get(LE)).unwrap();
        while let Some(thunk) = thunks.next::<Pe>().unwrap() {
            let function = named(table.import::<Pe>(thunk).unwrap());
            found.push(Import { library: name.clone(), function });
        }
    }
    found
}

fn named(import: Thunk<'_>) -> String {
    match import {
        Thunk::Ordinal(number) => format!("#{number}"),
        Thunk::Name(_, name) => text(name),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
