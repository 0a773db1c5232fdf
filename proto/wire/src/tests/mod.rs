//! What holds of every conversion: valid values come back unchanged, nothing panics, each limit names its field.

mod limits;
mod round_trip;
mod values;
