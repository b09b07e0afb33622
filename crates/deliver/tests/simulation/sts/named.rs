//! The policy that each try at a next hop names.

use types::TlsPolicy;

use super::*;

impl World {
    /// The policy that the last event names, and whether that kept the
    /// message from going.
    fn last_policy(&self) -> (Option<TlsPolicy>, bool) {
        match &self.house.store.events().last().unwrap().kind {
            EventKind::FollowUp {
                what: FollowUp::Delivered(attempt) | FollowUp::DeliveryDeferred { attempt, .. },
                ..
            } => (attempt.tls_policy, attempt.policy_refused),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn every_try_names_the_policy_it_went_by() {
    for (mode, policy) in
        [("enforce", TlsPolicy::MtaStsEnforce), ("testing", TlsPolicy::MtaStsTesting)]
    {
        let world = World::with_policy(mode);
        world.first();
        world.send().await;
        assert_eq!(world.last_policy(), (Some(policy), false), "{mode}");
    }
    let world = World::with_policy("enforce");
    world.impostor(FIRST);
    world.send().await;
    assert_eq!(world.last_policy(), (Some(TlsPolicy::MtaStsEnforce), true));
    for (tls, policy) in [
        (TlsUse::Opportunistic, TlsPolicy::Opportunistic),
        (TlsUse::Required, TlsPolicy::Required),
        (TlsUse::Never, TlsPolicy::Never),
    ] {
        let mut settings = settings();
        settings.tls = tls;
        let mut world = World::with(settings);
        world.first();
        world.house.start();
        world.send().await;
        assert_eq!(world.last_policy(), (Some(policy), false), "{tls:?}");
    }
    let mut smarthost = settings();
    smarthost.routes.set_outbound(Route::parse(&["192.0.2.1:25"]).unwrap());
    let mut world = World::with(smarthost);
    world.announce("1");
    world.web.publish("enforce", "mx1.world.example", 7);
    world.first();
    world.house.start();
    world.send().await;
    assert_eq!(world.last_policy(), (Some(TlsPolicy::Smarthost), false));
    assert_eq!(world.web.asked(), 0);
}
