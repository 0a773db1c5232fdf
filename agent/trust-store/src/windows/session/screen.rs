//! A few words on a person's screen.
#![expect(unsafe_code, reason = "the notification area is only reached through C")]

use std::io;
use std::ptr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Globalization::{GetSystemDefaultUILanguage, GetUserDefaultUILanguage};
use windows_sys::Win32::System::RemoteDesktop::{WTS_CURRENT_SERVER_HANDLE, WTSSendMessageW};
use windows_sys::Win32::UI::Shell::{
    NIF_ICON, NIF_INFO, NIF_TIP, NIIF_INFO, NIM_ADD, NIM_DELETE, NOTIFYICONDATAW, Shell_NotifyIconW,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CreateWindowExW, DestroyWindow, DispatchMessageW, HWND_MESSAGE, IDI_INFORMATION, LoadIconW, MB_ICONINFORMATION,
    MB_OK, MSG, PM_REMOVE, PeekMessageW,
};

use super::handle::{size, succeeded, wide};

/// How long a balloon may be there; Windows takes it away earlier.
const SHOWN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the shell may take to show it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a message on the screen stays when nobody closes it.
const MESSAGE_SECONDS: u32 = 300;
/// `LANG_JAPANESE`: the low ten bits of a language identifier.
const JAPANESE: u16 = 0x11;
/// The balloon's icon within the window that it belongs to.
const ICON: u32 = 1;

/// Whose language is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LanguageOf {
    /// That of the user of this process.
    User,
    /// That of Windows.
    Windows,
}

/// Whether menus are in Japanese; everybody else is taken to read English.
pub fn is_japanese(of: LanguageOf) -> bool {
    // SAFETY: both take nothing and return a number.
    let language = unsafe {
        match of {
            LanguageOf::User => GetUserDefaultUILanguage(),
            LanguageOf::Windows => GetSystemDefaultUILanguage(),
        }
    };
    language & 0x3ff == JAPANESE
}

/// Shows a balloon in the notification area of this process's user: a toast on newer Windows. Returns once it was taken;
/// a thread of its own takes it away later.
pub fn show_balloon(title: &str, body: &str) -> io::Result<()> {
    let (title, body) = (title.to_owned(), body.to_owned());
    let (sender, shown) = mpsc::channel();
    thread::Builder::new().name("balloon".to_owned()).spawn(move || {
        let balloon = Balloon::show(&title, &body);
        let is_shown = balloon.is_ok();
        let _nobody_waits = sender.send(balloon.as_ref().map(|_| ()).map_err(io::Error::kind));
        if is_shown {
            stay(SHOWN);
        }
    })?;
    shown.recv_timeout(PATIENCE).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map_err(io::Error::from)
}

/// Puts a message on the screen of a session, for the service, which has no screen. Returns at once.
pub fn show_message(session: u32, title: &str, body: &str) -> io::Result<()> {
    let (title, body) = (wide(title), wide(body));
    let bytes = |text: &[u16]| u32::try_from(size_of_val(text) - size_of::<u16>()).unwrap_or(0);
    let mut response = 0;
    // SAFETY: both texts live until after the call and have the lengths in bytes that are given; no answer is waited for.
    succeeded(unsafe {
        WTSSendMessageW(
            WTS_CURRENT_SERVER_HANDLE,
            session,
            title.as_ptr(),
            bytes(&title),
            body.as_ptr(),
            bytes(&body),
            MB_OK | MB_ICONINFORMATION,
            MESSAGE_SECONDS,
            &raw mut response,
            0,
        )
    })
}

/// A balloon that is there for as long as this lives. It belongs to a window that nobody sees.
struct Balloon(NOTIFYICONDATAW);

impl Balloon {
    fn show(title: &str, body: &str) -> io::Result<Self> {
        let class = wide("STATIC");
        // SAFETY: a class that every Windows has; the window is destroyed by its owner, on this thread.
        let window = unsafe {
            let none = ptr::null_mut();
            CreateWindowExW(0, class.as_ptr(), ptr::null(), 0, 0, 0, 0, 0, HWND_MESSAGE, none, none, ptr::null())
        };
        if window.is_null() {
            return Err(io::Error::last_os_error());
        }
        let icon = NOTIFYICONDATAW {
            cbSize: size::<NOTIFYICONDATAW>(),
            hWnd: window,
            uID: ICON,
            uFlags: NIF_ICON | NIF_TIP | NIF_INFO,
            dwInfoFlags: NIIF_INFO,
            // SAFETY: an icon that every Windows has, which is shared and not to be destroyed.
            hIcon: unsafe { LoadIconW(ptr::null_mut(), IDI_INFORMATION) },
            szTip: fitted(title),
            szInfoTitle: fitted(title),
            szInfo: fitted(body),
            ..Default::default()
        };
        let balloon = Self(icon);
        // SAFETY: the structure says its own length and its texts end with zeros.
        succeeded(unsafe { Shell_NotifyIconW(NIM_ADD, &raw const balloon.0) })?;
        Ok(balloon)
    }
}

impl Drop for Balloon {
    fn drop(&mut self) {
        // SAFETY: both belong to this thread and are there, or are refused.
        unsafe {
            Shell_NotifyIconW(NIM_DELETE, &raw const self.0);
            DestroyWindow(self.0.hWnd);
        }
    }
}

/// Lets time pass, and answers whatever Windows says to the window meanwhile.
fn stay(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        let mut message = MSG::default();
        // SAFETY: the structure is written by the first call and read by the second.
        unsafe {
            while PeekMessageW(&raw mut message, ptr::null_mut(), 0, 0, PM_REMOVE) != 0 {
                DispatchMessageW(&raw const message);
            }
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// As much of a text as there is room for, with a zero behind it and never half a character.
fn fitted<const ROOM: usize>(text: &str) -> [u16; ROOM] {
    let mut place = [0; ROOM];
    let mut length = 0;
    for character in text.chars() {
        if length + character.len_utf16() >= ROOM {
            break;
        }
        length += character.encode_utf16(&mut place[length..]).len();
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let place = fitted::<4>("あ🏥🏥");
        assert_eq!(String::from_utf16(&place[..3]).unwrap(), "あ🏥");
        assert_eq!(place[3], 0);
    }

    #[test]
    #[ignore = "needs a screen: run it with --ignored, under Wine by xvfb-run"]
    fn the_notification_area_takes_a_balloon() {
        show_balloon("電子証明書を更新しました", "開いている業務ソフトがあれば、一度閉じて開き直してください。")
            .unwrap();
    }

    #[test]
    fn the_language_is_told() {
        for of in [LanguageOf::User, LanguageOf::Windows] {
            let _either = is_japanese(of);
        }
    }
}
