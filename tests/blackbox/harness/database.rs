//! A database a test, copied from a template that the real `raven migrate` made.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use reqwest::Url;
use tokio::{sync::OnceCell, task::JoinSet};
use tokio_postgres::{Client, NoTls, error::SqlState};

use super::{
    cli,
    servers::{root, servers},
    wait::{eventually, finish},
};

/// Locked while the template is made ("raven-te" in ASCII).
const LOCK: i64 = 0x72_6176_656e_2d74;

/// An empty or migrated database, dropped with this value.
#[derive(Debug)]
pub(crate) struct Database {
    name: String,
}

impl Database {
    /// A migrated one.
    pub(crate) async fn migrated(name: &str) -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(template).await;
        Self::create(name, template).await
    }

    /// One with nothing in it.
    pub(crate) async fn empty(name: &str) -> Self {
        Self::create(name, "template0").await
    }

    async fn create(name: &str, template: &str) -> Self {
        let this = Self { name: name.to_owned() };
        let admin = Session::open(&servers().postgres).await;
        // The session that migrated the template may need a moment to leave it.
        eventually("a copy of the template", async || {
            let copied =
                admin.client.execute(&format!("create database {name} template {template}"), &[]).await;
            match copied {
                Err(fault) if fault.code() == Some(&SqlState::OBJECT_IN_USE) => None,
                other => Some(other.unwrap()),
            }
        })
        .await;
        this
    }

    /// Its URL.
    pub(crate) fn url(&self) -> Url {
        url_of(&self.name)
    }

    /// A session in it.
    pub(crate) async fn session(&self) -> Session {
        Session::open(&self.url()).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("drop database if exists {} with (force)", self.name);
        let dropped = finish(async {
            let admin = Session::open(&servers().postgres).await;
            admin.client.execute(&drop, &[]).await.unwrap();
        });
        if dropped.is_err() {
            eprintln!("the database {} is left behind", self.name);
        }
    }
}

fn url_of(name: &str) -> Url {
    let mut url = servers().postgres.clone();
    url.set_path(name);
    url
}

/// Makes the template of these migrations, unless an earlier run with the same servers did.
async fn template() -> String {
    let mut hash = DefaultHasher::new();
    let mut files: Vec<_> =
        std::fs::read_dir(root().join("migrations")).unwrap().map(Result::unwrap).collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    for file in files {
        std::fs::read(file.path()).unwrap().hash(&mut hash);
    }
    let name = format!("raven_template_{:016x}", hash.finish());
    let admin = Session::open(&servers().postgres).await;
    admin.client.execute("select pg_advisory_lock($1)", &[&LOCK]).await.unwrap();
    let exists =
        admin.client.query_opt("select 1 from pg_database where datname = $1", &[&name]).await.unwrap();
    if exists.is_none() {
        let unfinished = format!("{name}_unfinished");
        for order in ["drop database if exists", "create database"] {
            admin.client.execute(&format!("{order} {unfinished}"), &[]).await.unwrap();
        }
        let migrated = cli::run(&[("DATABASE_URL", url_of(&unfinished).as_str())], &["migrate"], "").await;
        assert!(migrated.status.success(), "raven migrate: {}", migrated.stderr);
        let rename = format!("alter database {unfinished} rename to {name}");
        eventually("the template to be left alone", async || admin.client.execute(&rename, &[]).await.ok())
            .await;
    }
    name
}

/// A connection to Postgres that ends with this value.
#[derive(Debug)]
pub(crate) struct Session {
    /// For queries.
    pub(crate) client: Client,
    _driver: JoinSet<()>,
}

impl Session {
    async fn open(url: &Url) -> Self {
        let mut config: tokio_postgres::Config = url.as_str().parse().expect("a Postgres URL");
        config.connect_timeout(Duration::from_secs(30));
        let (client, connection) = config.connect(NoTls).await.expect("a connection to Postgres");
        let mut driver = JoinSet::new();
        driver.spawn(async { connection.await.unwrap_or_default() });
        Self { client, _driver: driver }
    }
}
