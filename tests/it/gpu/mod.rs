//! What needs a device: skipped by name without one, unless `MLC_REQUIRE_GPU=1`.

mod contract;
mod device;
mod harness;
mod kernels;
mod math;
mod random;
mod specs;
mod train;

use mlc::runtime::gpu::{Choice, Device};

/// The device to test on, if there is one.
///
/// # Panics
/// If there is none and `MLC_REQUIRE_GPU=1`.
pub fn device(test: &str) -> Option<Device> {
    device_of(test, &Choice::from_env())
}

/// The same with more to say about it.
pub fn device_of(test: &str, choice: &Choice) -> Option<Device> {
    match Device::open(choice) {
        Ok(device) => Some(device),
        Err(fault) => {
            let required = std::env::var("MLC_REQUIRE_GPU").is_ok_and(|v| v == "1");
            assert!(!required, "{test} wants a GPU: {fault:?}");
            crate::support::skipped(test, "a GPU");
            None
        }
    }
}
