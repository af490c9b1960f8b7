//! The daemon: its log, its metrics and what it answers, while one tenant fails and another is done.

use std::time::Duration;

use super::canary::{ADDRESS, Heard, marked_people, talkative};
use super::errors::Trap;
use crate::support::{Backend, Scratch, World, holds_within};

/// Generous: the machine may be busy.
const LONG: Duration = Duration::from_secs(60);

on_every_database! {
    async fn e10_the_daemon_says_nothing_personal(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        marked_people(&world, "failing").await;
        marked_people(&world, "fine").await;
        let failing = "(SELECT id FROM tenant WHERE slug = 'failing')";
        let trap = match world.scratch.backend() {
            Backend::Postgres => format!(
                "IF NEW.tenant_id = {failing} THEN RAISE EXCEPTION 'row of %', NEW.email \
                 USING ERRCODE = '23505', DETAIL = NEW.email; END IF"
            ),
            Backend::MariaDb => format!(
                "IF NEW.tenant_id = {failing} THEN SET @said = CONCAT('row of ', NEW.email); \
                 SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1062, MESSAGE_TEXT = @said; END IF"
            ),
            Backend::Sqlite => format!(
                "SELECT RAISE(ABORT, 'row of {ADDRESS}') WHERE NEW.tenant_id = {failing}"
            ),
        };
        // They were all added so long ago, today, that they are deleted.
        Trap::set(&world, "participant", "DELETE", &trap).await;
        let mut heard = Heard::new(&world);
        let serving = talkative(&world).serve();
        let ended = holds_within(LONG, async || {
            serving.events("tenant_run_failed") > 0 && serving.events("tenant_run_completed") > 0
        });
        assert!(ended.await, "{}", serving.log());
        for path in ["/metrics", "/readyz", "/livez", "/", "/participant"] {
            let (_, body) = serving.get(path).expect("an answer");
            heard.add(path, &body);
        }
        let (status, log) = serving.terminate(LONG).await;
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("\"class\":\"constraint\"") && log.contains("batch_committed"), "{log}");
        heard.add("serve", &log);
        heard.hear_records(&world).await;
        heard.assert_clean();
    }
}
