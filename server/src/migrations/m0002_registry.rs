//! What accounts have pushed to the registry under `/v2/`.

use sea_orm_migration::prelude::*;

/// Creates the registry's tables.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0002_registry"
    }
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).text().not_null().take()
}

fn big(name: &'static str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).big_integer().not_null().take()
}

/// A table of an account's things, whose first `keys` columns name one of them.
fn table(name: &'static str, columns: &[ColumnDef], keys: usize) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(Alias::new(name));
    let mut key = Index::create();
    for (index, column) in columns.iter().enumerate() {
        table.col(column.clone());
        if index < keys {
            key.col(Alias::new(column.get_column_name()));
        }
    }
    table.primary_key(&mut key);
    table.foreign_key(
        ForeignKey::create()
            .from(Alias::new(name), Alias::new("account"))
            .to(Alias::new("accounts"), Alias::new("id")),
    );
    table
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let blobs = [text("account"), text("sha256"), big("size"), big("created_at")];
        let manifests = [
            text("account"),
            text("repository"),
            text("sha256"),
            text("media_type"),
            big("size"),
            big("created_at"),
        ];
        let tags = [
            text("account"),
            text("repository"),
            text("tag"),
            text("sha256"),
            text("submission"),
            big("moved_at"),
        ];
        manager.create_table(table("registry_blobs", &blobs, 2)).await?;
        manager.create_table(table("registry_manifests", &manifests, 3)).await?;
        manager.create_table(table("registry_tags", &tags, 3)).await
    }
}
