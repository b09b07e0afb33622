//! What every implementation of the store must do, run against each.

#[cfg(test)]
mod backend;
#[cfg(test)]
mod correspondence;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod remembering;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod triplets;

/// One test per case and implementation.
macro_rules! contract {
    ($($part:ident: $($case:ident),+;)+) => {
        mod real_disk {
            $($(#[tokio::test]
            async fn $case() {
                super::$part::$case(super::backend::OnRealDisk::new()).await;
            })+)+
        }
        mod simulated_disk {
            $($(#[tokio::test]
            async fn $case() {
                super::$part::$case(super::backend::OnSimulatedDisk::new()).await;
            })+)+
        }
    };
}

contract! {
    messages:
        a_message_comes_back_octet_for_octet,
        large_messages_come_back_too,
        a_message_is_leased_once_it_is_flushed_and_once_at_a_time,
        a_lease_given_back_leaves_the_message_as_it_was,
        an_intervention_leaves_the_lease_alone,
        recipients_not_named_stay_as_they_are,
        done_stays_done,
        who_is_held_does_not_wait_for_the_next_hop,
        a_done_message_is_gone_after_a_restart,
        a_message_outlives_the_journal,
        a_dropped_writer_leaves_nothing,
        a_writer_of_another_message_makes_no_empty_one,
        refusals_of_a_transaction_share_its_commit,
        whoever_waits_for_a_change_is_told,
        messages_are_listed_in_order_of_arrival,
        notices_are_what_the_list_has_of_them;
    remembering:
        an_event_is_found_at_once_and_after_a_restart,
        many_events_survive_checkpoints_once,
        events_older_than_asked_are_dropped,
        events_of_a_queued_message_stay_as_long_as_it_does;
    correspondence:
        who_was_written_to_is_known_for_120_days_after_the_last_mail,
        who_wrote_to_whom_survives_checkpoints_and_restarts,
        pairs_are_found_newest_first,
        answers_to_mail_that_was_let_go_teach_nothing;
    triplets:
        the_numbers_of_the_product_hold,
        what_is_held_is_known_without_entering_and_by_its_own_identity,
        the_pairs_of_a_client_are_counted_as_long_as_they_are_remembered,
        a_late_retry_opens_a_new_window_and_the_old_one_expires,
        a_passed_triplet_is_remembered_36_days_after_its_last_use,
        a_life_line_goes_on_until_a_message_is_accepted,
        a_clock_that_steps_back_expires_nothing,
        an_expiry_is_told_once,
        an_expiry_not_recorded_is_due_again_after_a_restart,
        a_permit_closes_the_window_silently,
        people_can_steer,
        whom_nobody_asks_to_come_back_counts_as_returned,
        everything_survives_a_restart;
}
