//! Clinics in and out. An import is all or nothing: one wrong line, and nothing is stored, but every wrong line is told.

use std::collections::HashMap;

use inkan_model::ClinicId;
use inkan_model::clinic::{Clinic, ClinicProfile};
use inkan_model::operator::{Operator, Permission};
use serde::{Deserialize, Serialize};

use crate::core::{Core, require};
use crate::error::Error;
use crate::ports::{ClinicChanges, ClinicQuery, NewClinic, PageRequest};

/// Bytes of the largest list of clinics that is read.
pub const LARGEST_LIST: usize = 8 * 1024 * 1024;
/// Wrong lines that are told one by one.
pub const MOST_LINE_ERRORS: usize = 200;
/// The columns of a list of clinics, in the order in which they are written.
pub const COLUMNS: [&str; 7] = ["code", "name", "kind", "prefecture", "contact", "phone", "mail"];

/// A line of a list that was refused.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LineError {
    /// The line, counted from 1, the head included.
    pub line: u64,
    /// The field and what is wrong with it.
    pub why: String,
}

/// What became of a list of clinics.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ImportReport {
    /// It is stored.
    Stored(ClinicChanges),
    /// It has wrong lines, so nothing is stored.
    Refused(Vec<LineError>),
}

impl Core {
    /// Reads a list of clinics as CSV with a head line that names the columns of [`COLUMNS`] (contacts may be absent)
    /// in any order, in UTF-8 with or without byte order mark, and stores it.
    ///
    /// # Errors
    /// When the role does not allow it or the database fails. Wrong lines are not an error but a report.
    pub async fn import_clinics(&self, operator: &Operator, csv: &[u8]) -> Result<ImportReport, Error> {
        require(operator, Permission::ChangeFleet)?;
        let profiles = match read_clinics(csv) {
            Ok(profiles) => profiles,
            Err(errors) => return Ok(ImportReport::Refused(errors)),
        };
        let now = self.now();
        let new = |profile| NewClinic { id: ClinicId::new(now, self.entropy().bytes()), profile };
        let clinics: Vec<_> = profiles.into_iter().map(new).collect();
        Ok(ImportReport::Stored(self.db().record_clinics(operator.vendor, &clinics, now).await?))
    }

    /// Creates or changes one clinic, told apart by its code.
    ///
    /// # Errors
    /// When the role does not allow it or the database fails.
    pub async fn save_clinic(&self, operator: &Operator, profile: ClinicProfile) -> Result<Clinic, Error> {
        require(operator, Permission::ChangeFleet)?;
        let now = self.now();
        let code = profile.code.clone();
        let clinic = NewClinic { id: ClinicId::new(now, self.entropy().bytes()), profile };
        self.db().record_clinics(operator.vendor, &[clinic], now).await?;
        let stored = self.db().find_clinic_by_code(operator.vendor, code.as_str()).await?;
        stored.ok_or(Error::NotFound { what: "clinic" })
    }

    /// All clinics as CSV that [`Core::import_clinics`] reads back, with the byte order mark that spreadsheets want.
    ///
    /// # Errors
    /// When the role does not allow it or the database fails.
    pub async fn export_clinics(&self, operator: &Operator, query: &ClinicQuery) -> Result<Vec<u8>, Error> {
        let view = self.view(operator)?;
        let mut clinics = Vec::new();
        let mut page = PageRequest::first(500);
        loop {
            let part = view.clinics(query, &page).await?;
            clinics.extend(part.items.into_iter().map(|row| row.clinic.profile));
            match part.next {
                Some(next) => page.after = Some(next),
                None => return Ok(write_clinics(&clinics)),
            }
        }
    }
}

/// Reads a list of clinics; every wrong line is told, at most [`MOST_LINE_ERRORS`].
pub fn read_clinics(csv: &[u8]) -> Result<Vec<ClinicProfile>, Vec<LineError>> {
    let whole = |why: &str| vec![LineError { line: 1, why: why.to_owned() }];
    if csv.len() > LARGEST_LIST {
        return Err(whole("the list is larger than 8 MiB"));
    }
    let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(csv);
    let head = reader.headers().map_err(|error| whole(&error.to_string()))?.clone();
    let columns = find_columns(&head).map_err(|why| whole(&why))?;
    let mut profiles = Vec::new();
    let mut errors = Vec::new();
    let mut line_of_code: HashMap<String, u64> = HashMap::new();
    for record in reader.records() {
        match read_record(record, &columns) {
            Ok((line, profile)) => {
                let before = line_of_code.insert(profile.code.as_str().to_owned(), line);
                if let Some(before) = before {
                    errors.push(LineError { line, why: format!("code: the same code stands in line {before}") });
                }
                profiles.push(profile);
            }
            Err(error) => errors.push(error),
        }
        if errors.len() >= MOST_LINE_ERRORS {
            break;
        }
    }
    if errors.is_empty() { Ok(profiles) } else { Err(errors) }
}

type Columns = [Option<usize>; COLUMNS.len()];

fn find_columns(head: &csv::StringRecord) -> Result<Columns, String> {
    let mut columns: Columns = [None; COLUMNS.len()];
    for (at, name) in head.iter().enumerate() {
        let lower = name.to_lowercase();
        let known = match lower.as_str() {
            "医療機関コード" | "コード" => "code",
            "名称" | "医療機関名" => "name",
            "種別" => "kind",
            "都道府県" => "prefecture",
            "担当者" => "contact",
            "電話番号" | "電話" => "phone",
            "メール" => "mail",
            other => other,
        };
        match COLUMNS.iter().position(|column| *column == known) {
            Some(column) => columns[column] = Some(at),
            None => return Err(format!("column {name:?} is not known; the columns are {}", COLUMNS.join(", "))),
        }
    }
    let missing: Vec<_> = (0..4).filter(|column| columns[*column].is_none()).map(|column| COLUMNS[column]).collect();
    if missing.is_empty() { Ok(columns) } else { Err(format!("missing column: {}", missing.join(", "))) }
}

fn read_record(
    record: Result<csv::StringRecord, csv::Error>,
    columns: &Columns,
) -> Result<(u64, ClinicProfile), LineError> {
    let record = record.map_err(|error| LineError {
        line: error.position().map_or(0, csv::Position::line),
        why: "not readable as CSV in UTF-8: in Excel, save it as \"CSV UTF-8\"".to_owned(),
    })?;
    let line = record.position().map_or(0, csv::Position::line);
    let [code, name, kind, prefecture, contact, phone, mail] =
        columns.map(|at| at.and_then(|at| record.get(at)).unwrap_or(""));
    ClinicProfile::parse(code, name, kind, prefecture, contact, phone, mail)
        .map(|profile| (line, profile))
        .map_err(|error| LineError { line, why: error.to_string() })
}

/// Writes clinics so that [`read_clinics`] reads them back.
pub fn write_clinics(clinics: &[ClinicProfile]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(b"\xef\xbb\xbf".to_vec());
    // Writing to memory does not fail; an error would leave the list short, which the reader of it would see.
    let _ = writer.write_record(COLUMNS);
    for clinic in clinics {
        let ClinicProfile { code, name, kind, prefecture, contact, phone, mail } = clinic;
        let contact = contact.as_deref().unwrap_or("");
        let (phone, mail) = (phone.as_deref().unwrap_or(""), mail.as_deref().unwrap_or(""));
        let fields = [code.as_str(), name, kind.name(), &prefecture.full_name(), contact, phone, mail];
        let _ = writer.write_record(fields.map(defuse));
    }
    writer.into_inner().unwrap_or_default()
}

/// A spreadsheet runs what begins with `=`, `@` and the like; names of clinics may begin with anything.
fn defuse(field: &str) -> String {
    if field.starts_with(['=', '@', '\t', '\r']) { format!("'{field}") } else { field.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "code,name,kind,prefecture,phone\n1710119153,さくら内科クリニック,医科,石川県,076-000-0000\n";

    #[test]
    fn a_list_reads_back_from_what_was_written() {
        let clinics = read_clinics(GOOD.as_bytes()).unwrap();
        assert_eq!(read_clinics(&write_clinics(&clinics)).unwrap(), clinics);
    }

    #[test]
    fn japanese_heads_are_understood_in_any_order() {
        let csv = "名称,医療機関コード,都道府県,種別\n山の手歯科医院,1610000001,富山,歯科\n";
        assert_eq!(read_clinics(csv.as_bytes()).unwrap()[0].prefecture.romaji(), "toyama");
    }

    #[test]
    fn every_wrong_line_is_told_with_its_number_and_field() {
        let csv = format!("{GOOD}12,A,医科,石川\n1710119153,B,医科,石川\n1710000002,,医科,石川\n");
        let errors = read_clinics(csv.as_bytes()).unwrap_err();
        let said: Vec<_> = errors.iter().map(|error| (error.line, error.why.split(':').next().unwrap())).collect();
        assert_eq!(said, [(3, "code"), (4, "code"), (5, "name")]);
    }

    #[test]
    fn a_missing_or_unknown_column_is_named() {
        assert!(read_clinics(b"code,name,kind\n").unwrap_err()[0].why.contains("prefecture"));
        assert!(read_clinics(b"code,nam\n").unwrap_err()[0].why.contains("\"nam\""));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(csv in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_clinics(&csv);
        }
    }
}
