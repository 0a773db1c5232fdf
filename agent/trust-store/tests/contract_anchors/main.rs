//! What every store whose anchors can be changed promises, checked for each of them in the same words.
//!
//! ```text
//! promises    the promises, each a function of a stage · processes: those that take other processes to test
//! stage       a store with something in it that has to survive
//! instances/  one file for each kind of store: how its stage is set below an empty folder, and how it is opened
//! ```
//! A new backend needs a file in `instances/` with one [`stage::Instance`] in it, and a line at the end of this file, which
//! says which groups of promises are its own.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot set its stage must fail")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod instances;
mod processes;
mod promises;
mod stage;

use crate::stage::Stage;

/// What another process does for a promise; nothing, when nobody asked.
#[test]
fn child() {
    processes::work_as_child();
}

macro_rules! promises {
    ($instance:ident: $($module:ident::$promise:ident),* $(,)?) => {$(
        #[test]
        fn $promise() {
            if let Some(stage) = crate::Stage::set(&crate::instances::$instance::INSTANCE) {
                crate::$module::$promise(&stage);
            }
        }
    )*};
}

/// A group of promises for one kind of store.
macro_rules! group {
    (of_all, $instance:ident) => {
        promises! {
            $instance:
            promises::an_anchor_that_is_added_reads_back_and_goes_again,
            promises::what_is_done_already_is_not_done_again,
            promises::what_is_taken_out_can_be_put_back_as_it_was,
            promises::a_limit_to_purposes_is_kept_or_the_anchor_is_refused,
            promises::a_limit_to_names_is_kept_or_the_anchor_is_refused,
            promises::what_is_no_certificate_is_refused,
            promises::a_place_that_is_not_its_own_is_refused,
            promises::what_is_read_says_what_is_found,
            promises::writers_at_once_lose_nothing,
        }
    };
    (that_can_be_read_only, $instance:ident) => {
        promises! { $instance: promises::a_read_only_store_refuses_and_stays_as_it_was }
    };
    (with_parts, $instance:ident) => {
        promises! { $instance: promises::a_half_readable_store_returns_both_halves }
    };
    (that_outlive_processes, $instance:ident) => {
        promises! {
            $instance:
            processes::writers_in_several_processes_lose_nothing,
            processes::an_addition_that_is_killed_at_any_moment_can_be_finished_and_taken_back,
            processes::a_removal_that_is_killed_at_any_moment_can_be_finished,
        }
    };
    (of_files, $instance:ident) => {
        promises! { $instance: processes::a_full_disk_leaves_what_was_there }
    };
}

macro_rules! contract {
    ($($(#[$when:meta])* $instance:ident: $($group:ident),*;)*) => {$(
        $(#[$when])*
        mod $instance {
            $(group! { $group, $instance })*
        }
    )*};
}

contract! {
    fake: of_all, that_can_be_read_only, with_parts;
    #[cfg(unix)]
    java: of_all, that_can_be_read_only, that_outlive_processes, of_files;
    #[cfg(target_os = "linux")]
    linux: of_all, that_can_be_read_only, with_parts, that_outlive_processes, of_files;
    #[cfg(target_os = "linux")]
    nss: of_all, that_can_be_read_only, with_parts, that_outlive_processes, of_files;
    #[cfg(windows)]
    windows: of_all, that_outlive_processes;
}
