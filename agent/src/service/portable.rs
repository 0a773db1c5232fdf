//! Operating systems whose service manager starts `inkan-agent run` by a file that the package brings.

use super::{Orders, Registration, ServiceError, Standing};

/// Says who does this here.
pub fn install(_registration: &Registration) -> Result<(), ServiceError> {
    Err(ServiceError::Unsupported)
}

/// Says who does this here.
pub fn uninstall() -> Result<(), ServiceError> {
    Err(ServiceError::Unsupported)
}

/// Says who does this here.
pub fn start() -> Result<(), ServiceError> {
    Err(ServiceError::Unsupported)
}

/// Says who does this here.
pub fn stop() -> Result<(), ServiceError> {
    Err(ServiceError::Unsupported)
}

/// Says who does this here.
pub fn status() -> Result<Standing, ServiceError> {
    Err(ServiceError::Unsupported)
}

/// Says who does this here.
pub fn run(_work: impl FnOnce(Orders) -> u8 + Send + 'static) -> Result<(), ServiceError> {
    Err(ServiceError::Unsupported)
}
