//! NSS, loaded from where its browser keeps it: the only unsafe code of this folder.
//!
//! NSS holds its state in the process, so this is only ever used in a child that ends afterwards, and the libraries are
//! never unloaded. NSS finds its parts by name: unless the browser's own are loaded first, the operating system's take
//! their place, which write trust in another shape. So they are loaded first, and looked after once NSS has begun.
#![expect(unsafe_code, reason = "NSS is a C library; each browser ships its own")]

use std::ffi::{CString, c_char, c_int, c_uchar, c_uint, c_ulong, c_void};
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::flags::NssFlags;
use super::row_identity::{Identity, Names};
use super::trust::Shape;

/// What NSS stands on, in the order in which one needs the other; not every browser has all of them in its folder.
const PARTS: [&str; 7] =
    ["libnspr4.so", "libplc4.so", "libplds4.so", "libmozsqlite3.so", "libnssutil3.so", "libfreeblpriv3.so", SOFTOKEN];
/// The part that keeps the databases.
const SOFTOKEN: &str = "libsoftokn3.so";
/// `NSS_INIT_READONLY`, `NSS_INIT_NOMODDB` (no smart card is asked for anything), `NSS_INIT_NOROOTINIT`.
const READ_ONLY: c_uint = 0x01;
const NO_MODULES: c_uint = 0x04 | 0x10;
/// `CK_INVALID_HANDLE`.
const NO_HANDLE: c_ulong = 0;
/// `PK11_TypeGeneric`.
const GENERIC: c_int = 0;
const ISSUER: u32 = 0x81;
const SERIAL: u32 = 0x82;
/// Trust rows of one database that are looked at.
const ROWS: usize = 20_000;

/// A step that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) step: String,
    /// What NSS says; zero where it says nothing.
    pub(super) code: i32,
}

impl Failure {
    pub(super) fn new(step: impl Into<String>) -> Self {
        Self { step: step.into(), code: 0 }
    }
}

/// `SECItem`.
#[repr(C)]
struct Item {
    kind: c_uint,
    data: *mut c_uchar,
    len: c_uint,
}

/// `CERTCertTrust`.
#[derive(Default)]
#[repr(C)]
struct Trust {
    ssl: c_uint,
    email: c_uint,
    code: c_uint,
}

type Opaque = *mut c_void;

/// The functions of NSS that are used here, by the names that it gives them.
struct Functions {
    initialize: unsafe extern "C" fn(*const c_char, *const c_char, *const c_char, *const c_char, c_uint) -> c_int,
    shutdown: unsafe extern "C" fn() -> c_int,
    error: unsafe extern "C" fn() -> c_int,
    certificates: unsafe extern "C" fn() -> Opaque,
    slot: unsafe extern "C" fn() -> Opaque,
    free_slot: unsafe extern "C" fn(Opaque),
    needs_pin: unsafe extern "C" fn(Opaque) -> c_int,
    set_pin: unsafe extern "C" fn(Opaque, *const c_char, *const c_char) -> c_int,
    needs_login: unsafe extern "C" fn(Opaque) -> c_int,
    logged_in: unsafe extern "C" fn(Opaque, Opaque) -> c_int,
    new_certificate: unsafe extern "C" fn(Opaque, *mut Item, *const c_char, c_int, c_int) -> Opaque,
    find_certificate: unsafe extern "C" fn(Opaque, *mut Item) -> Opaque,
    free_certificate: unsafe extern "C" fn(Opaque),
    import: unsafe extern "C" fn(Opaque, Opaque, c_ulong, *const c_char, c_int) -> c_int,
    delete: unsafe extern "C" fn(Opaque) -> c_int,
    trust: unsafe extern "C" fn(Opaque, *mut Trust) -> c_int,
    change_trust: unsafe extern "C" fn(Opaque, Opaque, *mut Trust) -> c_int,
    find_objects: unsafe extern "C" fn(Opaque, c_ulong) -> Opaque,
    next_object: unsafe extern "C" fn(Opaque) -> Opaque,
    free_objects: unsafe extern "C" fn(Opaque) -> c_int,
    attribute: unsafe extern "C" fn(c_int, Opaque, c_ulong, *mut Item) -> c_int,
    free_item: unsafe extern "C" fn(*mut Item, c_int),
    handle: unsafe extern "C" fn(c_int, Opaque, *mut Opaque) -> c_ulong,
    delete_object: unsafe extern "C" fn(Opaque, c_ulong) -> c_int,
}

/// One profile, opened by NSS. Dropping it closes NSS.
pub(super) struct Session {
    functions: Functions,
    database: Opaque,
    slot: Opaque,
}

/// A certificate that NSS holds for us.
struct Held<'s> {
    session: &'s Session,
    certificate: Opaque,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: the certificate came from NSS, is freed once, and NSS is still open.
        unsafe { (self.session.functions.free_certificate)(self.certificate) }
    }
}

impl Session {
    /// Loads NSS and opens a profile with it.
    pub(super) fn open(library: &Path, profile: &Path, read_only: bool) -> Result<Self, Failure> {
        let functions = Functions::load(library)?;
        let directory = [b"sql:", profile.as_os_str().as_bytes()].concat();
        let directory = CString::new(directory).map_err(|_| Failure::new("name the profile"))?;
        let flags = NO_MODULES | if read_only { READ_ONLY } else { 0 };
        // SAFETY: four C strings that live until the call returns.
        let begun =
            unsafe { (functions.initialize)(directory.as_ptr(), c"".as_ptr(), c"".as_ptr(), c"".as_ptr(), flags) };
        if begun != 0 {
            return Err(functions.failure("open the profile"));
        }
        // SAFETY: NSS is open; both calls take nothing and may return null.
        let (database, slot) = unsafe { ((functions.certificates)(), (functions.slot)()) };
        let session = Self { functions, database, slot };
        if session.slot.is_null() || session.database.is_null() {
            return Err(session.functions.failure("find the profile's database"));
        }
        check_parts(library)?;
        if !read_only {
            session.begin_using()?;
        }
        Ok(session)
    }

    /// Whether a primary password keeps the profile closed.
    pub(super) fn needs_password(&self) -> bool {
        // SAFETY: the slot is valid as long as the session is; no callback argument is needed.
        unsafe {
            (self.functions.needs_pin)(self.slot) == 0
                && (self.functions.needs_login)(self.slot) != 0
                && (self.functions.logged_in)(self.slot, ptr::null_mut()) == 0
        }
    }

    /// What the certificate is trusted for; `None` when it is not there.
    pub(super) fn find(&self, der: &[u8]) -> Option<NssFlags> {
        let held = self.held(der)?;
        let mut trust = Trust::default();
        // SAFETY: a certificate that is held, and room for the answer, which stays zero when there is none.
        unsafe { (self.functions.trust)(held.certificate, &raw mut trust) };
        Some(NssFlags { ssl: trust.ssl, email: trust.email, code: trust.code })
    }

    /// Puts the certificate there, trusted so and not otherwise.
    pub(super) fn put(&self, der: &[u8], name: &str, flags: NssFlags) -> Result<(), Failure> {
        let name = CString::new(name).map_err(|_| Failure::new("name the certificate"))?;
        // What other versions of NSS have written about it would count beside what is written now.
        self.delete_trust(&Identity::of(der))?;
        let held = self.taken(der)?;
        // SAFETY: the slot, a certificate that is held, and a C string that lives until the call returns.
        let imported = unsafe { (self.functions.import)(self.slot, held.certificate, NO_HANDLE, name.as_ptr(), 0) };
        if imported != 0 {
            return Err(self.functions.failure("write the certificate"));
        }
        let mut trust = Trust { ssl: flags.ssl, email: flags.email, code: flags.code };
        // SAFETY: the database and a certificate that is held; the trust is copied.
        let changed = unsafe { (self.functions.change_trust)(self.database, held.certificate, &raw mut trust) };
        if changed == 0 { Ok(()) } else { Err(self.functions.failure("write what the certificate is trusted for")) }
    }

    /// Takes the certificate away, and all rows that say what it is trusted for, in whatever shape: these first, because
    /// whoever is ended in between could not tell by the certificate's fingerprint alone whose rows are left.
    pub(super) fn delete(&self, der: &[u8], identity: &Identity) -> Result<(), Failure> {
        self.delete_trust(identity)?;
        if let Some(held) = self.held(der) {
            // SAFETY: a certificate that is held.
            let deleted = unsafe { (self.functions.delete)(held.certificate) };
            if deleted != 0 {
                return Err(self.functions.failure("delete the certificate"));
            }
        }
        self.delete_trust(identity)
    }

    /// A profile that was never used has no password yet: it gets an empty one, as the browser would set it.
    fn begin_using(&self) -> Result<(), Failure> {
        // SAFETY: the slot is valid as long as the session is; null stands for no password.
        let set = unsafe {
            (self.functions.needs_pin)(self.slot) == 0
                || (self.functions.set_pin)(self.slot, ptr::null(), ptr::null()) == 0
        };
        if set { Ok(()) } else { Err(self.functions.failure("begin to use the profile")) }
    }

    fn held(&self, der: &[u8]) -> Option<Held<'_>> {
        let mut item = as_item(der)?;
        // SAFETY: the item points to bytes that live until the call returns, and NSS only reads them.
        let certificate = unsafe { (self.functions.find_certificate)(self.database, &raw mut item) };
        (!certificate.is_null()).then_some(Held { session: self, certificate })
    }

    fn taken(&self, der: &[u8]) -> Result<Held<'_>, Failure> {
        let mut item = as_item(der).ok_or_else(|| Failure::new("take the certificate"))?;
        // SAFETY: the item points to bytes that live until the call returns; NSS is told to copy them.
        let certificate = unsafe { (self.functions.new_certificate)(self.database, &raw mut item, ptr::null(), 0, 1) };
        if certificate.is_null() {
            return Err(self.functions.failure("understand the certificate"));
        }
        Ok(Held { session: self, certificate })
    }

    fn delete_trust(&self, identity: &Identity) -> Result<(), Failure> {
        for shape in Shape::ALL {
            for handle in self.trust_rows(shape, identity) {
                // SAFETY: the slot, and a number that NSS gave for an object in it.
                let deleted = unsafe { (self.functions.delete_object)(self.slot, handle) };
                if deleted != 0 {
                    return Err(self.functions.failure("delete what the certificate was trusted for"));
                }
            }
        }
        Ok(())
    }

    fn trust_rows(&self, shape: Shape, identity: &Identity) -> Vec<c_ulong> {
        // SAFETY: the slot is valid; the answer is null or the first of a list that is freed below.
        let first = unsafe { (self.functions.find_objects)(self.slot, c_ulong::from(shape.class())) };
        let mut found = Vec::new();
        let (mut object, mut seen) = (first, 0);
        while !object.is_null() && seen < ROWS {
            let names = self.octets(object, ISSUER).zip(self.octets(object, SERIAL));
            let names = names.map(|(issuer, serial)| Names { issuer, serial });
            let hash = self.octets(object, shape.hash_attribute());
            if identity.is_of_row(shape, names.as_ref(), hash.as_deref()) {
                // SAFETY: an object of the list, which is not freed yet; the slot is not asked for.
                found.push(unsafe { (self.functions.handle)(GENERIC, object, ptr::null_mut()) });
            }
            // SAFETY: as above.
            object = unsafe { (self.functions.next_object)(object) };
            seen += 1;
        }
        if !first.is_null() {
            // SAFETY: the list's first object; nothing points into the list any more.
            unsafe { (self.functions.free_objects)(first) };
        }
        found.retain(|handle| *handle != NO_HANDLE);
        found
    }

    /// One attribute of an object; `None` when it has none, or an empty one.
    fn octets(&self, object: Opaque, attribute: u32) -> Option<Vec<u8>> {
        let mut item = Item { kind: 0, data: ptr::null_mut(), len: 0 };
        // SAFETY: an object of a list that is not freed yet, and room for the answer, which NSS allocates.
        let read = unsafe { (self.functions.attribute)(GENERIC, object, c_ulong::from(attribute), &raw mut item) };
        if read != 0 || item.data.is_null() {
            return None;
        }
        // SAFETY: NSS says that so many bytes are there; they are copied before they are freed.
        let octets = unsafe { std::slice::from_raw_parts(item.data, usize::try_from(item.len).ok()?).to_vec() };
        // SAFETY: what NSS allocated for the attribute, freed once; the item itself is ours.
        unsafe { (self.functions.free_item)(&raw mut item, 0) };
        (!octets.is_empty()).then_some(octets)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the slot is freed once and everything that was held is gone; afterwards NSS is not called any more.
        unsafe {
            if !self.slot.is_null() {
                (self.functions.free_slot)(self.slot);
            }
            (self.functions.shutdown)();
        }
    }
}

impl Functions {
    fn load(library: &Path) -> Result<Self, Failure> {
        if let Some(folder) = library.parent() {
            for part in PARTS.map(|part| folder.join(part)).iter().filter(|part| part.is_file()) {
                load(part)?;
            }
        }
        let nss = load(library)?;
        // SAFETY: each name stands for a function of that type in every version of NSS since 3.52.
        unsafe {
            Ok(Self {
                initialize: symbol(&nss, "NSS_Initialize")?,
                shutdown: symbol(&nss, "NSS_Shutdown")?,
                error: symbol(&nss, "PORT_GetError")?,
                certificates: symbol(&nss, "CERT_GetDefaultCertDB")?,
                slot: symbol(&nss, "PK11_GetInternalKeySlot")?,
                free_slot: symbol(&nss, "PK11_FreeSlot")?,
                needs_pin: symbol(&nss, "PK11_NeedUserInit")?,
                set_pin: symbol(&nss, "PK11_InitPin")?,
                needs_login: symbol(&nss, "PK11_NeedLogin")?,
                logged_in: symbol(&nss, "PK11_IsLoggedIn")?,
                new_certificate: symbol(&nss, "CERT_NewTempCertificate")?,
                find_certificate: symbol(&nss, "CERT_FindCertByDERCert")?,
                free_certificate: symbol(&nss, "CERT_DestroyCertificate")?,
                import: symbol(&nss, "PK11_ImportCert")?,
                delete: symbol(&nss, "SEC_DeletePermCertificate")?,
                trust: symbol(&nss, "CERT_GetCertTrust")?,
                change_trust: symbol(&nss, "CERT_ChangeCertTrust")?,
                find_objects: symbol(&nss, "PK11_FindGenericObjects")?,
                next_object: symbol(&nss, "PK11_GetNextGenericObject")?,
                free_objects: symbol(&nss, "PK11_DestroyGenericObjects")?,
                attribute: symbol(&nss, "PK11_ReadRawAttribute")?,
                free_item: symbol(&nss, "SECITEM_FreeItem")?,
                handle: symbol(&nss, "PK11_GetObjectHandle")?,
                delete_object: symbol(&nss, "PK11_DestroyTokenObject")?,
            })
        }
    }

    fn failure(&self, step: &str) -> Failure {
        // SAFETY: takes nothing, and tells the last error of this thread.
        Failure { step: step.to_owned(), code: unsafe { (self.error)() } }
    }
}

/// Loads a library for as long as the process lives.
fn load(path: &Path) -> Result<ManuallyDrop<Library>, Failure> {
    // SAFETY: a library of an installed browser from a folder that only the administrator can write; its initialisers are
    // those that run whenever the browser starts.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    library.map(ManuallyDrop::new).map_err(|error| Failure::new(format!("load {}: {error}", path.display())))
}

/// # Safety
/// `T` must be the type of the function of that name, and the library must never be unloaded.
unsafe fn symbol<T: Copy>(library: &ManuallyDrop<Library>, name: &str) -> Result<T, Failure> {
    // SAFETY: the caller vouches for the type.
    let found = unsafe { library.get::<T>(name) };
    found.map(|symbol| *symbol).map_err(|error| Failure::new(format!("find {name} in NSS: {error}")))
}

fn as_item(der: &[u8]) -> Option<Item> {
    let len = c_uint::try_from(der.len()).ok().filter(|len| *len > 0)?;
    Some(Item { kind: 0, data: der.as_ptr().cast_mut(), len })
}

/// Whether the part that keeps the databases is the one beside this library, where there is one beside it.
fn check_parts(library: &Path) -> Result<(), Failure> {
    let Some(own) = library.parent().map(|folder| folder.join(SOFTOKEN)).filter(|own| own.is_file()) else {
        return Ok(());
    };
    let own = own.canonicalize().map_err(|error| Failure::new(format!("find {}: {error}", own.display())))?;
    let maps =
        std::fs::read("/proc/self/maps").map_err(|error| Failure::new(format!("see what is loaded: {error}")))?;
    let loaded = |line: &[u8]| line.ends_with(own.as_os_str().as_bytes());
    let foreign = |line: &[u8]| line.ends_with(SOFTOKEN.as_bytes()) && !loaded(line);
    if maps.split(|octet| *octet == b'\n').any(foreign) {
        return Err(Failure::new(format!("use {} and no other", own.display())));
    }
    Ok(())
}
