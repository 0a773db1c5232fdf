pub mod private_ca;
pub mod proof;
pub mod request;
