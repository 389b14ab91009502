//! Schema migrations: forward only, the same for SQLite and PostgreSQL.

mod m0001_first;
mod m0002_registry;
mod m0003_elsewhere;

use sea_orm_migration::prelude::*;

/// All migrations in order.
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_first::Migration),
            Box::new(m0002_registry::Migration),
            Box::new(m0003_elsewhere::Migration),
        ]
    }
}
