//! The first schema.

use sea_orm_migration::prelude::*;

/// Creates every table.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_first"
    }
}

fn a(name: &'static str) -> Alias {
    Alias::new(name)
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(a(name)).text().not_null().take()
}

fn text_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(a(name)).text().take()
}

fn big(name: &'static str) -> ColumnDef {
    ColumnDef::new(a(name)).big_integer().not_null().take()
}

fn big_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(a(name)).big_integer().take()
}

fn int(name: &'static str) -> ColumnDef {
    ColumnDef::new(a(name)).integer().not_null().default(0).take()
}

fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(a(name)).boolean().not_null().default(false).take()
}

fn key(mut column: ColumnDef) -> ColumnDef {
    column.primary_key().take()
}

fn unique(mut column: ColumnDef) -> ColumnDef {
    column.unique_key().take()
}

fn table(name: &'static str, columns: Vec<ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(a(name));
    for column in columns {
        table.col(column);
    }
    table
}

fn refers(
    table: &mut TableCreateStatement,
    own: &'static str,
    from: &'static str,
    to: (&'static str, &'static str),
) {
    table.foreign_key(ForeignKey::create().from(a(own), a(from)).to(a(to.0), a(to.1)));
}

fn people() -> Vec<TableCreateStatement> {
    let accounts = table(
        "accounts",
        vec![
            key(text("id")),
            unique(text("name")),
            text("role"),
            text("password_hash"),
            flag("disabled"),
            big("created_at"),
        ],
    );
    let sites =
        table("sites", vec![key(text("id")), text("title"), text_null("public_key"), big("created_at")]);
    let mut tokens = table(
        "tokens",
        vec![
            key(text("id")),
            unique(text("hash")),
            text_null("account"),
            text_null("site"),
            text("label"),
            big("created_at"),
            big("expires_at"),
        ],
    );
    refers(&mut tokens, "tokens", "account", ("accounts", "id"));
    refers(&mut tokens, "tokens", "site", ("sites", "id"));
    let mut sessions =
        table("sessions", vec![key(text("hash")), text("account"), big("created_at"), big("seen_at")]);
    refers(&mut sessions, "sessions", "account", ("accounts", "id"));
    let mut codes = table(
        "enrolment_codes",
        vec![key(text("hash")), text("site"), big("expires_at"), big_null("used_at")],
    );
    refers(&mut codes, "enrolment_codes", "site", ("sites", "id"));
    let audit =
        table("audit", vec![key(text("id")), big("at"), text("actor"), text("action"), text("object")]);
    vec![accounts, sites, tokens, sessions, codes, audit]
}

fn challenges() -> Vec<TableCreateStatement> {
    let challenges = table(
        "challenges",
        vec![
            key(text("id")),
            text("version"),
            text("document"),
            text("digest"),
            big("created_at"),
            big("updated_at"),
        ],
    );
    let mut files =
        table("challenge_files", vec![text("challenge"), text("path"), text("sha256"), big("size")]);
    files.primary_key(Index::create().col(a("challenge")).col(a("path")));
    refers(&mut files, "challenge_files", "challenge", ("challenges", "id"));
    let mut sets = table(
        "reference_sets",
        vec![text("site"), text("id"), text("challenge"), text("digest"), big("created_at")],
    );
    sets.primary_key(Index::create().col(a("site")).col(a("id")));
    refers(&mut sets, "reference_sets", "site", ("sites", "id"));
    refers(&mut sets, "reference_sets", "challenge", ("challenges", "id"));
    vec![challenges, files, sets]
}

fn work() -> Vec<TableCreateStatement> {
    let artifacts = table(
        "artifacts",
        vec![key(text("sha256")), big("size"), text("media_type"), text("uploader"), big("created_at")],
    );
    let mut submissions = table(
        "submissions",
        vec![
            key(text("id")),
            text("challenge"),
            text("phase"),
            text("account"),
            text("participant"),
            text("idempotency_key"),
            text("request_digest"),
            text("tool"),
            text("version"),
            text("description"),
            text("artifact"),
            big("artifact_size"),
            text("media_type"),
            flag("slot_returned"),
            big("submitted_at"),
        ],
    );
    refers(&mut submissions, "submissions", "challenge", ("challenges", "id"));
    refers(&mut submissions, "submissions", "account", ("accounts", "id"));
    refers(&mut submissions, "submissions", "artifact", ("artifacts", "sha256"));
    let mut runs = table(
        "runs",
        vec![
            key(text("id")),
            text("submission"),
            text("site"),
            text("reference_set"),
            text("challenge"),
            text("artifact"),
            text("state"),
            big("fence"),
            big("lease_until"),
            int("attempt"),
            int("errors"),
            big("done"),
            big("total"),
            text_null("reason"),
            text_null("cases"),
            big("created_at"),
            big_null("ended_at"),
        ],
    );
    runs.check(Expr::cust("(ended_at IS NULL) = (state IN ('queued', 'leased', 'awaiting-release'))"));
    refers(&mut runs, "runs", "submission", ("submissions", "id"));
    refers(&mut runs, "runs", "site", ("sites", "id"));
    let mut assessments = table(
        "assessments",
        vec![key(text("run")), text("envelope"), text("digest"), text("document"), big("received_at")],
    );
    refers(&mut assessments, "assessments", "run", ("runs", "id"));
    vec![artifacts, submissions, runs, assessments]
}

fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
    unique: bool,
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(a(table));
    for column in columns {
        index.col(a(column));
    }
    if unique {
        index.unique();
    }
    index
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in people().into_iter().chain(challenges()).chain(work()) {
            manager.create_table(table).await?;
        }
        let indexes = [
            index("submissions_key", "submissions", &["account", "idempotency_key"], true),
            index(
                "submissions_quota",
                "submissions",
                &["challenge", "phase", "account", "submitted_at"],
                false,
            ),
            index("runs_once", "runs", &["submission", "site", "reference_set"], true),
            index("runs_claim", "runs", &["site", "state", "created_at"], false),
            index("runs_challenge", "runs", &["challenge"], false),
            index("runs_state", "runs", &["state", "lease_until"], false),
        ];
        for index in indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
