//! The same over the wire: a server of its own, and the connector that the function ships with.

use tests::sim::World;
use tests::stripe::{Account, Server, Trouble};

use super::rig::{API_KEY, CUSTOMER, Rig};

#[tokio::test]
async fn credit_and_discounts_reach_a_server_and_survive_what_its_connections_do() {
    let world = World::new().await;
    let account = Account::new(API_KEY, world.platform().clock.clone());
    let server = Server::start(account.clone()).await;
    let rig = Rig::at(world, account, server.base()).await;
    for trouble in Trouble::ALL {
        // These two would be waited for in real time; the other tests pause it.
        if matches!(trouble, Trouble::LoseRequest | Trouble::LoseAnswer | Trouble::Slow) {
            continue;
        }
        rig.account.clear();
        rig.account.add_customer(CUSTOMER, Some("usd"));
        let reward = rig.reward(2_000, "USD");
        rig.account.plan([trouble]);
        let receipt = rig.deliver(&rig.ways.invoice_credit, rig.step(&reward, 0, 2_000)).await.unwrap();
        assert_eq!(
            rig.account.transactions(reward.reward.as_str(), 0),
            [(receipt.reference, -2_000)],
            "{trouble:?}"
        );
        rig.world.advance(1);
        let reward = rig.reward(2_000, "USD");
        rig.account.plan([trouble]);
        let receipt = rig.deliver(&rig.ways.discount, rig.step(&reward, 0, 2_000)).await.unwrap();
        let codes = rig.account.promotion_codes(reward.reward.as_str());
        assert_eq!(codes.len(), 1, "{trouble:?}");
        assert_eq!(codes[0]["code"], receipt.reference, "{trouble:?}");
    }
}
