//! A named pipe between the service and one user.
//!
//! The service makes it: the first and only instance of its name, open to SYSTEM and that user alone, closed to other
//! machines. The user's end is opened so that whoever made the pipe can see who came and can never act in that name. Both
//! ends wait with an end to their patience, which plain pipe handles cannot.
#![expect(unsafe_code, reason = "pipes with access lists and deadlines are only reached through C")]

use std::io::{self, Read, Write};
use std::ptr;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_IO_PENDING, ERROR_NO_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_BUSY, ERROR_PIPE_CONNECTED,
    ERROR_PIPE_NOT_CONNECTED, GetLastError, WAIT_OBJECT_0,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_APPEND_DATA, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_GENERIC_READ,
    FILE_GENERIC_WRITE, OPEN_EXISTING, PIPE_ACCESS_DUPLEX, ReadFile, SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT,
    WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, GetNamedPipeClientProcessId, GetNamedPipeServerProcessId, PIPE_READMODE_BYTE,
    PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_WAIT, WaitNamedPipeW,
};
use windows_sys::Win32::System::Threading::{CreateEventW, INFINITE, WaitForSingleObject};

use super::handle::{Handle, Local, size, succeeded, wide};

/// Bytes that wait in each direction.
const BUFFER: u32 = 64 * 1024;
/// What a user may do with the pipe: read and write, but not make another instance of it, which is what the right to
/// append means for pipes.
const USER: u32 = (FILE_GENERIC_READ | FILE_GENERIC_WRITE) & !FILE_APPEND_DATA;

/// A pipe that waits for its one client.
#[derive(Debug)]
pub struct PipeServer(PipeStream);

/// One end of a connected pipe.
#[derive(Debug)]
pub struct PipeStream {
    pipe: Handle,
    /// Signalled when what is under way has ended. One thing at a time is.
    event: Handle,
    patience: Option<Duration>,
}

impl PipeServer {
    /// Makes a pipe of this name (`\\.\pipe\…`) for the user with this security identifier. Fails where the name is taken.
    pub fn create(name: &str, sid: &str) -> io::Result<Self> {
        let descriptor = descriptor(&format!("D:P(A;;GA;;;SY)(A;;{USER:#x};;;{sid})"))?;
        let attributes = SECURITY_ATTRIBUTES {
            nLength: size::<SECURITY_ATTRIBUTES>(),
            lpSecurityDescriptor: descriptor.0,
            bInheritHandle: 0,
        };
        let name = wide(name);
        // SAFETY: the name ends with a zero, and the attributes point to a descriptor that lives until after the call.
        let pipe = unsafe {
            CreateNamedPipeW(
                name.as_ptr(),
                PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED,
                PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                1,
                BUFFER,
                BUFFER,
                0,
                &raw const attributes,
            )
        };
        PipeStream::over(Handle::new(pipe)?).map(Self)
    }

    /// Waits for the client.
    pub fn accept(mut self, within: Duration) -> io::Result<PipeStream> {
        self.0.patience = Some(within);
        let pipe = self.0.pipe.raw();
        // SAFETY: the pipe is open, and the structure lives until the operation has ended.
        match self.0.wait_for(|overlapped| unsafe { ConnectNamedPipe(pipe, overlapped) }) {
            Err(error) if is(&error, ERROR_PIPE_CONNECTED) => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        self.0.patience = None;
        Ok(self.0)
    }
}

impl PipeStream {
    /// Opens the pipe of this name as its client.
    pub fn connect(name: &str, within: Duration) -> io::Result<Self> {
        let (name, deadline) = (wide(name), Instant::now() + within);
        loop {
            // SAFETY: the name ends with a zero; the handle has its owner below.
            let pipe = unsafe {
                let flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
                CreateFileW(name.as_ptr(), USER, 0, ptr::null(), OPEN_EXISTING, flags, ptr::null_mut())
            };
            match Handle::new(pipe) {
                Err(error) if is(&error, ERROR_PIPE_BUSY) && Instant::now() < deadline => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    // SAFETY: the name ends with a zero. Whether it came in time, the next round tells.
                    unsafe { WaitNamedPipeW(name.as_ptr(), milliseconds(Some(left))) };
                }
                opened => return Self::over(opened?),
            }
        }
    }

    /// From now on a reading or writing that takes longer fails; `None` waits for as long as the other end is there.
    pub const fn set_patience(&mut self, patience: Option<Duration>) {
        self.patience = patience;
    }

    /// The process at the client's end.
    pub fn client_process_id(&self) -> io::Result<u32> {
        let mut id = 0;
        // SAFETY: the pipe is open, and the number is written by the call.
        succeeded(unsafe { GetNamedPipeClientProcessId(self.pipe.raw(), &raw mut id) })?;
        Ok(id)
    }

    /// The process at the server's end.
    pub fn server_process_id(&self) -> io::Result<u32> {
        let mut id = 0;
        // SAFETY: the pipe is open, and the number is written by the call.
        succeeded(unsafe { GetNamedPipeServerProcessId(self.pipe.raw(), &raw mut id) })?;
        Ok(id)
    }

    fn over(pipe: Handle) -> io::Result<Self> {
        // SAFETY: an event without a name, reset by hand and not set; the handle has its owner.
        let event = Handle::new(unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) })?;
        Ok(Self { pipe, event, patience: None })
    }

    /// Begins an operation and waits for its end, but not for longer than the patience: then it is called off. It has ended
    /// in any case when this returns, so what it reads from or writes to is free again.
    fn wait_for(&self, begin: impl FnOnce(*mut OVERLAPPED) -> i32) -> io::Result<usize> {
        let mut overlapped = OVERLAPPED { hEvent: self.event.raw(), ..Default::default() };
        let mut called_off = false;
        if begin(&raw mut overlapped) == 0 {
            // SAFETY: takes nothing.
            let code = unsafe { GetLastError() };
            if code != ERROR_IO_PENDING {
                return Err(io::Error::from_raw_os_error(code.cast_signed()));
            }
            // SAFETY: the event is open.
            if unsafe { WaitForSingleObject(self.event.raw(), milliseconds(self.patience)) } != WAIT_OBJECT_0 {
                // SAFETY: the pipe is open, and the structure is that of the operation. One that has ended meanwhile is
                // not found, which is as well.
                unsafe { CancelIoEx(self.pipe.raw(), &raw const overlapped) };
                called_off = true;
            }
        }
        let mut transferred = 0;
        // SAFETY: the structure is that of the operation; the call returns when that has ended.
        let ended =
            succeeded(unsafe { GetOverlappedResult(self.pipe.raw(), &raw const overlapped, &raw mut transferred, 1) });
        match ended {
            Err(error) if called_off && is(&error, ERROR_OPERATION_ABORTED) => Err(io::ErrorKind::TimedOut.into()),
            ended => ended.map(|()| transferred as usize),
        }
    }
}

impl Read for PipeStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let (pipe, start) = (self.pipe.raw(), buffer.as_mut_ptr());
        // SAFETY: the pipe is open; buffer and structure live until the operation has ended.
        let read = self.wait_for(|overlapped| unsafe { ReadFile(pipe, start, length, ptr::null_mut(), overlapped) });
        match read {
            Err(error)
                if [ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_PIPE_NOT_CONNECTED].iter().any(|end| is(&error, *end)) =>
            {
                Ok(0)
            }
            read => read,
        }
    }
}

impl Write for PipeStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let (pipe, start) = (self.pipe.raw(), buffer.as_ptr());
        // SAFETY: the pipe is open; buffer and structure live until the operation has ended.
        self.wait_for(|overlapped| unsafe { WriteFile(pipe, start, length, ptr::null_mut(), overlapped) })
    }

    /// Nothing is held back on this side.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn descriptor(text: &str) -> io::Result<Local<std::ffi::c_void>> {
    let text = wide(text);
    let mut descriptor = Local::<std::ffi::c_void>::none();
    // SAFETY: the text ends with a zero; the descriptor is freed by its owner.
    succeeded(unsafe {
        let out = (&raw mut descriptor.0).cast::<PSECURITY_DESCRIPTOR>();
        ConvertStringSecurityDescriptorToSecurityDescriptorW(text.as_ptr(), SDDL_REVISION_1, out, ptr::null_mut())
    })?;
    Ok(descriptor)
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

/// As Windows counts; a wait that is too long to count has no end.
fn milliseconds(patience: Option<Duration>) -> u32 {
    patience.map_or(INFINITE, |patience| u32::try_from(patience.as_millis()).unwrap_or(INFINITE))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::windows::access::current_sid;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn pipe(name: &str) -> (String, PipeServer) {
        let name = format!("\\\\.\\pipe\\inkan-test-{name}-{}", std::process::id());
        let server = PipeServer::create(&name, &current_sid().unwrap()).unwrap();
        (name, server)
    }

    #[test]
    fn both_ends_talk_and_know_each_others_processes() {
        let (name, server) = pipe("talk");
        let client = thread::spawn(move || {
            let mut stream = PipeStream::connect(&name, PATIENCE).unwrap();
            assert_eq!(stream.server_process_id().unwrap(), std::process::id());
            stream.write_all(b"question").unwrap();
            let mut answer = [0; 6];
            stream.read_exact(&mut answer).unwrap();
            answer
        });
        let mut stream = server.accept(PATIENCE).unwrap();
        assert_eq!(stream.client_process_id().unwrap(), std::process::id());
        let mut question = [0; 8];
        stream.read_exact(&mut question).unwrap();
        stream.write_all(b"answer").unwrap();
        assert_eq!((&question, &client.join().unwrap()), (b"question", b"answer"));
        assert_eq!(stream.read(&mut question).unwrap(), 0, "the end of the other side is an end, not an error");
    }

    #[test]
    fn nobody_is_waited_for_beyond_ones_patience() {
        let (name, server) = pipe("patience");
        assert_eq!(server.accept(Duration::from_millis(50)).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (_, server) = pipe("patience");
        let client = thread::spawn(move || PipeStream::connect(&name, PATIENCE));
        let mut stream = server.accept(PATIENCE).unwrap();
        stream.set_patience(Some(Duration::from_millis(50)));
        assert_eq!(stream.read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(client.join().unwrap());
    }

    #[test]
    fn a_name_that_is_taken_is_not_shared() {
        let (name, _server) = pipe("first");
        assert!(PipeServer::create(&name, &current_sid().unwrap()).is_err());
    }
}
