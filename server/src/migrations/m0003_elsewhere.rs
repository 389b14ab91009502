//! Images that stay in other registries.

use sea_orm_migration::prelude::*;

/// Adds the place of an image to the submissions.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_elsewhere"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column at a time: SQLite alters one thing in a statement.
        for name in ["registry", "repository"] {
            let mut table = Table::alter();
            table.table(Alias::new("submissions")).add_column(ColumnDef::new(Alias::new(name)).text().take());
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
