//! A Galera cluster on loopback: MariaDB servers that replicate to each other, certify every
//! transaction at its COMMIT, and stop to serve when they lose the majority.

use std::net::SocketAddr;

use super::own_mariadb::{OwnMariadb, STARTS_MAX};
use super::own_server::{OwnServer, free_port};

/// Where Debian's package galera-4 puts it.
const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";

/// Much shorter than Galera's own, so that a test need not wait for long until a lost node is given
/// up, and long enough for a node that is merely short of processor time.
const GROUP_TIMES: &str = "evs.keepalive_period=PT0.5S;evs.inactive_check_period=PT0.25S;\
                           evs.suspect_timeout=PT3S;evs.inactive_timeout=PT8S;\
                           evs.install_timeout=PT8S";

/// A node that comes back joins those that are there, and remembers no group of its own.
const SMALL: &str = "gcache.size=16M;gcache.page_size=16M;pc.recovery=false";

/// The cluster; its servers are gone when it is dropped.
pub struct Galera {
    pub nodes: Vec<OwnMariadb>,
}

/// What a node listens on beside the clients' port.
#[derive(Clone, Copy)]
struct Ports {
    group: u16,
    increments: u16,
    snapshots: u16,
}

impl Galera {
    /// Starts a cluster of `size` nodes, one after the other. To be called on the test's own thread:
    /// the servers end with the thread.
    pub async fn start(size: usize) -> Self {
        assert!(
            std::path::Path::new(PROVIDER).is_file(),
            "{PROVIDER} is not there: install the package galera-4, or run tests/run, which does"
        );
        let mut log = String::new();
        for _ in 0..STARTS_MAX {
            match Self::try_start(size).await {
                Ok(cluster) => return cluster,
                Err(said) => log = said,
            }
        }
        panic!("no Galera cluster came up: {log}");
    }

    async fn try_start(size: usize) -> Result<Self, String> {
        let ports: Vec<Ports> = (0..size)
            .map(|_| Ports {
                group: free_port(),
                increments: free_port(),
                snapshots: free_port(),
            })
            .collect();
        let mut nodes = Vec::with_capacity(size);
        for number in 0..size {
            let mut node = OwnMariadb::new(free_port(), options(&ports, number));
            let more: &[&str] = if number == 0 {
                node.make_system_tables();
                &["--wsrep-new-cluster"]
            } else {
                // The others receive theirs, with everything else, from a node that is there.
                &[]
            };
            if !node.try_start(more).await {
                return Err(node.log());
            }
            nodes.push(node);
        }
        Ok(Self { nodes })
    }

    /// Where the clients of the nodes connect to.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes
            .iter()
            .map(|node| {
                let url = node.url();
                let (_, rest) = url.split_once('@').expect("a URL with a user");
                let (address, _) = rest.split_once('/').expect("a URL with a database");
                address.parse().expect("an IP address and a port")
            })
            .collect()
    }
}

impl OwnMariadb {
    /// Cuts the node off from its group, or lets it back in. It stays reachable for clients.
    pub async fn set_isolated(&self, isolated: bool) {
        let isolate = u8::from(isolated);
        let set = format!("SET GLOBAL wsrep_provider_options = 'gmcast.isolate={isolate}'");
        self.execute(&[&set]).await;
    }

    /// Whether the node belongs to the majority.
    pub async fn is_primary(&self) -> bool {
        self.status("wsrep_cluster_status").await.as_deref() == Some("Primary")
    }
}

fn options(ports: &[Ports], number: usize) -> Vec<String> {
    let group: Vec<String> = ports
        .iter()
        .map(|ports| format!("127.0.0.1:{}", ports.group))
        .collect();
    let mine = ports[number];
    let listen = format!(
        "gmcast.listen_addr=tcp://{};ist.recv_addr=127.0.0.1:{}",
        group[number], mine.increments
    );
    vec![
        "--binlog-format=ROW".to_owned(),
        "--innodb-autoinc-lock-mode=2".to_owned(),
        "--wsrep-on=ON".to_owned(),
        format!("--wsrep-provider={PROVIDER}"),
        format!("--wsrep-provider-options={listen};{GROUP_TIMES};{SMALL}"),
        "--wsrep-cluster-name=retentiond-test".to_owned(),
        format!("--wsrep-cluster-address=gcomm://{}", group.join(",")),
        format!("--wsrep-node-name=node-{number}"),
        format!("--wsrep-node-address={}", group[number]),
        "--wsrep-sst-method=rsync".to_owned(),
        format!("--wsrep-sst-receive-address=127.0.0.1:{}", mine.snapshots),
    ]
}
