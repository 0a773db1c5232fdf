//! What every database has to do, told by tests that know the ports only. A second engine joins by one more module at
//! the end of this file. What only one engine can show (its files, its rows) is in a module of that engine.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says by a panic what is wrong")]

mod kit;

mod checkups;
mod clinics;
mod enrolments;
mod findings;
mod hosts;
mod identities;
mod installations;
mod inventory;
mod operators;
mod renewals;
mod rollups;
mod tenancy;
mod upkeep;

mod sqlite;

/// Makes a test of each function of the suite, on one engine.
macro_rules! contract {
    ($open:path; $($module:ident: $($test:ident),+;)+) => {$(
        mod $module {
            $(#[tokio::test]
            async fn $test() {
                crate::$module::$test($open().await).await;
            })+
        }
    )+};
}

/// The whole suite, on one engine.
macro_rules! suite {
    ($open:path) => {
        contract! {
            $open;
            checkups:
                a_checkup_waits_once_for_each_programme,
                a_checkup_is_stored_with_the_generation_or_not_at_all,
                an_answer_counts_once_and_for_its_host_alone,
                the_newest_answers_are_kept_and_those_that_wait_always;
            clinics:
                an_import_creates_changes_and_leaves_alone,
                clinics_are_found_by_words_kind_and_prefecture,
                a_renamed_clinic_is_found_by_its_new_name_in_every_list;
            enrolments:
                a_token_enrols_once_for_each_use,
                a_repetition_yields_the_same_host_and_chain,
                a_token_that_ended_enrols_nobody,
                a_banned_key_enrols_no_more,
                tokens_are_listed_newest_first_and_can_be_withdrawn;
            findings:
                findings_open_change_and_close_by_themselves,
                the_most_urgent_finding_of_a_clinic_comes_first,
                a_report_during_an_assessment_stays_due_for_review;
            hosts:
                the_most_urgent_host_comes_first_then_by_name,
                two_japanese_characters_find_a_host_by_its_clinic,
                wildcards_in_a_search_find_only_themselves,
                hosts_are_filtered_by_rule_urgency_and_silence,
                a_retired_host_leaves_lists_and_counts_and_can_come_back,
                the_timeline_says_who_changed_a_state,
                a_sign_of_life_never_goes_back_in_time,
                a_foreign_cursor_is_refused;
            identities:
                a_pending_identity_counts_once_it_is_used,
                a_recovery_is_counted_and_shown,
                a_conflict_suspends_once;
            installations:
                installations_are_listed_soonest_first_over_all_pages,
                installations_are_found_by_subject_host_and_clinic,
                days_are_counted_in_japan;
            inventory:
                contents_are_lacking_until_they_are_stored,
                a_set_waits_for_its_members,
                a_report_makes_installations_and_a_timeline,
                a_report_that_names_an_unknown_set_changes_nothing,
                what_goes_is_remembered_by_the_timeline,
                issuers_are_followed_through_every_store,
                a_location_is_shown_by_name_with_what_could_not_be_read,
                a_certificate_has_its_holders,
                read_errors_alone_do_not_change_a_location;
            operators:
                setup_happens_once,
                a_mail_address_belongs_to_one_operator,
                a_one_time_password_counts_once,
                a_session_ends,
                an_idempotent_request_takes_effect_once;
            renewals:
                only_one_renewal_is_live_for_a_certificate,
                a_renewal_moves_only_from_the_version_that_was_read,
                one_conflict_takes_the_whole_change_back,
                the_spool_never_goes_back,
                work_is_what_the_server_can_do_now,
                renewals_are_filtered_and_counted;
            rollups:
                the_overview_counts_what_the_lists_hold,
                days_and_weeks_end_where_the_lists_say;
            tenancy:
                another_vendor_finds_nothing_and_changes_nothing;
            upkeep:
                what_nobody_needs_is_pruned_within_bounds,
                the_gauges_count_everything;
        }
    };
}

mod on_sqlite {
    suite!(crate::sqlite::open);
}
