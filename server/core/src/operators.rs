//! Letting operators in: setup once, then password and one-time code each time, and sessions.

use std::net::IpAddr;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use inkan_model::clinic::is_mail_address;
use inkan_model::limits;
use inkan_model::locale::Locale;
use inkan_model::operator::{Operator, Permission, Role, Vendor};
use inkan_model::{OperatorId, Timestamp, VendorId};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use time::Duration;

use crate::core::{Core, require};
use crate::error::Error;
use crate::ports::{Entropy, NewOperator, Session, SessionKind};
use crate::totp;

/// The fewest characters of a password (NIST SP 800-63B §5.1.1 asks for 8; these people guard clinics).
pub const SHORTEST_PASSWORD: usize = 12;
const LONGEST_PASSWORD: usize = 256;
const SEED_LABEL: &str = "totp seed";

/// A person who is about to become an operator.
pub struct NewPerson {
    /// Mail address to log in with.
    pub mail: String,
    /// Name to show.
    pub name: String,
    /// Password.
    pub password: SecretString,
    /// TOTP seed that their authenticator app holds.
    pub totp_seed: Vec<u8>,
    /// What they may do.
    pub role: Role,
    /// Their language.
    pub locale: Locale,
}

/// Somebody who wants in.
pub struct LogIn {
    /// Mail address.
    pub mail: String,
    /// Password.
    pub password: SecretString,
    /// The code that the authenticator app shows.
    pub code: String,
    /// Where they come from.
    pub source: IpAddr,
}

/// A session's secret, for a cookie or a bearer header. Only its hash is stored.
pub struct SessionSecret(String);

impl SessionSecret {
    /// The text that travels.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A successful log-in.
pub struct LoggedIn {
    /// Who.
    pub operator: Operator,
    /// The session's secret.
    pub secret: SessionSecret,
    /// When the session ends.
    pub expires_at: Timestamp,
}

impl Core {
    /// Makes the secret of a setup link, unless setup is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_setup_link(&self, lifetime: Duration) -> Result<Option<String>, Error> {
        let secret = new_secret(self.entropy());
        let stored = self.db().record_setup_link(hash_of(&secret), self.now().plus(lifetime)).await?;
        Ok(stored.then_some(secret))
    }

    /// Whether this is the secret of a setup link that still works.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_setup_link(&self, secret: &str) -> Result<bool, Error> {
        Ok(self.db().is_setup_link(hash_of(secret), self.now()).await?)
    }

    /// A fresh TOTP seed for somebody's authenticator app.
    pub fn new_totp_seed(&self) -> Vec<u8> {
        self.entropy().bytes::<{ totp::SEED_BYTES }>().to_vec()
    }

    /// Uses the setup link: creates the vendor and its owner. `code` shows that the authenticator app has the seed.
    ///
    /// # Errors
    /// When a field is wrong, or there is no setup any more.
    pub async fn complete_setup(
        &self,
        link: &str,
        vendor_name: &str,
        person: NewPerson,
        code: &str,
    ) -> Result<Operator, Error> {
        limits::check_name(vendor_name, limits::SHORT_TEXT).map_err(|why| Error::invalid("vendor", why))?;
        let now = self.now();
        if totp::find_step(&person.totp_seed, code, now).is_none() {
            return Err(Error::invalid("code", "is not the code that the authenticator app shows now"));
        }
        let vendor = Vendor { id: VendorId::new(now, self.entropy().bytes()), name: vendor_name.trim().to_owned() };
        let owner = self.prepare(vendor.id, NewPerson { role: Role::Owner, ..person }).await?;
        let operator = owner.operator.clone();
        if self.db().complete_setup(hash_of(link), &vendor, &owner, now).await? {
            Ok(operator)
        } else {
            Err(Error::NotFound { what: "setup link" })
        }
    }

    /// Creates an operator of the same vendor.
    ///
    /// # Errors
    /// When the role does not allow it, a field is wrong, or the mail address is taken.
    pub async fn create_operator(&self, by: &Operator, person: NewPerson) -> Result<Operator, Error> {
        require(by, Permission::ManageOperators)?;
        self.create_operator_of(by.vendor, person).await
    }

    /// The vendor's operators, by mail address.
    ///
    /// # Errors
    /// When the role does not allow it or the database fails.
    pub async fn list_operators(&self, by: &Operator) -> Result<Vec<Operator>, Error> {
        require(by, Permission::ManageOperators)?;
        Ok(self.db().list_operators(by.vendor).await?)
    }

    /// Creates an operator without asking who wants it: for the administrator at the server's own console.
    ///
    /// # Errors
    /// When a field is wrong, or the mail address is taken.
    pub async fn create_operator_of(&self, vendor: VendorId, person: NewPerson) -> Result<Operator, Error> {
        let new = self.prepare(vendor, person).await?;
        self.db().create_operator(&new, self.now()).await?;
        Ok(new.operator)
    }

    /// Creates a vendor, at the server's own console.
    ///
    /// # Errors
    /// When the name is wrong.
    pub async fn create_vendor(&self, name: &str) -> Result<Vendor, Error> {
        limits::check_name(name, limits::SHORT_TEXT).map_err(|why| Error::invalid("name", why))?;
        let now = self.now();
        let vendor = Vendor { id: VendorId::new(now, self.entropy().bytes()), name: name.trim().to_owned() };
        self.db().create_vendor(&vendor, now).await?;
        Ok(vendor)
    }

    async fn prepare(&self, vendor: VendorId, person: NewPerson) -> Result<NewOperator, Error> {
        let NewPerson { mail, name, password, totp_seed, role, locale } = person;
        let mail = mail.trim().to_lowercase();
        if !is_mail_address(&mail) {
            return Err(Error::invalid("mail", "is not a mail address"));
        }
        limits::check_name(&name, limits::SHORT_TEXT).map_err(|why| Error::invalid("name", why))?;
        let length = password.expose_secret().chars().count();
        if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&length) {
            return Err(Error::invalid(
                "password",
                format!("needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"),
            ));
        }
        if totp_seed.len() != totp::SEED_BYTES {
            return Err(Error::invalid("totp_seed", "is not one of ours"));
        }
        let salt: [u8; 16] = self.entropy().bytes();
        let password_hash = self.hash_off_thread(move || hash_password(&password, &salt)).await?;
        let sealed = self.inner.parts.sealer.seal(SEED_LABEL, &totp_seed, self.entropy().bytes());
        let id = OperatorId::new(self.now(), self.entropy().bytes());
        let operator = Operator { id, vendor, mail, name: name.trim().to_owned(), role, locale };
        Ok(NewOperator { operator, password_hash, totp_sealed: sealed })
    }

    /// Lets an operator in with mail address, password and one-time code. Which of them was wrong is not said, and
    /// takes the same time whether or not the address is known.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`], [`Error::TooManyTries`], or a failure of the database.
    pub async fn log_in(&self, attempt: LogIn, kind: SessionKind) -> Result<LoggedIn, Error> {
        let LogIn { mail, password, code, source } = attempt;
        let (mail, now, throttles) = (mail.trim().to_lowercase(), self.now(), &self.inner.throttles);
        if !throttles.log_in_source.begin(&source, now) || !throttles.log_in_mail.begin(&mail, now) {
            return Err(Error::TooManyTries);
        }
        let logged_in = self.check_log_in(&mail, password, &code, kind).await;
        if !matches!(logged_in, Err(Error::WrongCredentials)) {
            throttles.log_in_source.forgive(&source);
            throttles.log_in_mail.forgive(&mail);
        }
        logged_in
    }

    async fn check_log_in(
        &self,
        mail: &str,
        password: SecretString,
        code: &str,
        kind: SessionKind,
    ) -> Result<LoggedIn, Error> {
        let login = self.db().find_login(mail).await?;
        let hash = login.as_ref().map_or(&self.inner.decoy_hash, |login| &login.password_hash).clone();
        let password_fits = self.hash_off_thread(move || verify_password(&password, &hash)).await;
        let Some(login) = login.filter(|_| password_fits) else { return Err(Error::WrongCredentials) };
        let now = self.now();
        let seed = self.inner.parts.sealer.open(SEED_LABEL, &login.totp_sealed).ok_or(Error::WrongCredentials)?;
        let step = totp::find_step(&seed, code, now).ok_or(Error::WrongCredentials)?;
        if !self.db().use_totp_step(login.operator.id, step).await? {
            return Err(Error::WrongCredentials);
        }
        let secret = new_secret(self.entropy());
        let lifetime = match kind {
            SessionKind::Browser => self.settings().browser_session,
            SessionKind::Token => self.settings().token_session,
        };
        let (hash, operator) = (hash_of(&secret), login.operator.id);
        let session = Session { hash, operator, kind, created_at: now, expires_at: now.plus(lifetime) };
        self.db().create_session(&session).await?;
        Ok(LoggedIn { operator: login.operator, secret: SessionSecret(secret), expires_at: session.expires_at })
    }

    /// Who holds this session's secret; `None` when it has ended or never was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_operator(&self, secret: &str, kind: SessionKind) -> Result<Option<Operator>, Error> {
        let found = self.db().find_operator_session(hash_of(secret), self.now()).await?;
        Ok(found.filter(|(session, _)| session.kind == kind).map(|(_, operator)| operator))
    }

    /// Changes an operator's own language.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_locale(&self, operator: &Operator, locale: Locale) -> Result<(), Error> {
        Ok(self.db().set_locale(operator.id, locale).await?)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_out(&self, secret: &str) -> Result<(), Error> {
        Ok(self.db().delete_session(hash_of(secret)).await?)
    }
}

impl Core {
    /// Argon2 takes tens of milliseconds and 19 MiB on purpose. Other requests must not wait for it, and many at once must
    /// not take the memory of all.
    async fn hash_off_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _place = self.inner.hashing.acquire().await;
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// 256 random bits as text.
fn new_secret(entropy: &dyn Entropy) -> String {
    data_encoding::BASE64URL_NOPAD.encode(&entropy.bytes::<32>())
}

/// What is stored in place of a secret of 256 random bits; no slow hash is needed for those.
fn hash_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Argon2id with the library's defaults (19 MiB, 2 passes), as OWASP recommends.
fn hash_password(password: &SecretString, salt: &[u8; 16]) -> Result<String, Error> {
    let hash = Argon2::default().hash_password_with_salt(password.expose_secret().as_bytes(), salt);
    hash.map(|hash| hash.to_string()).map_err(|error| Error::invalid("password", error))
}

fn verify_password(password: &SecretString, hash: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok()
}

/// A hash that no password fits.
pub(crate) fn decoy_hash(entropy: &dyn Entropy) -> String {
    let password = SecretString::from(new_secret(entropy));
    hash_password(&password, &entropy.bytes()).unwrap_or_default()
}
