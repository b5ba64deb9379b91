"""The store in a database."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "A connection pooler at {server} gives each transaction another session, so locks do not hold.": (
        "{server} 处的连接池程序为每个事务分配不同的会话，因此锁无法保持。"
    ),
    "A newer version of dnsrenew created the tables in the database {database} at {server} (version {found}; this one "
    "knows {version}).": (
        "{server} 上数据库 {database} 中的数据表由更新版本的 dnsrenew 创建（版本 {found}；此版本支持 {version}）。"
    ),
    "A parameter in the address of the database is not valid: {reason}.": "数据库地址中的一个参数无效：{reason}。",
    "A table or column of dnsrenew is missing in the database {database} at {server}: {reason}.": (
        "{server} 上数据库 {database} 中缺少 dnsrenew 的数据表或列：{reason}。"
    ),
    "All {size} connections to the database at {server} were in use for {seconds:g} s.": (
        "到 {server} 上数据库的全部 {size} 个连接在 {seconds:g} 秒内一直被占用。"
    ),
    "Check that PostgreSQL runs at {server} and that this host can connect to it; nothing is lost, and the next run "
    "continues.": (
        "请检查 {server} 上的 PostgreSQL 是否在运行，以及本机能否连接；没有任何内容丢失，下一次运行会继续。"
    ),
    "Check that PostgreSQL runs at {server} and that this host can connect to it; the next run continues.": (
        "请检查 {server} 上的 PostgreSQL 是否在运行，以及本机能否连接；下一次运行会继续。"
    ),
    "Check the disk of the server and the log of PostgreSQL.": "请检查该服务器的磁盘和 PostgreSQL 的日志。",
    "Check the log of PostgreSQL; if it does not explain the error, report it.": (
        "请查看 PostgreSQL 的日志；如果其中没有说明错误的原因，请报告此错误。"
    ),
    "Check user and password of `store`, and the line for {user} and this host in pg_hba.conf of the server.": (
        "请检查 `store` 中的用户和密码，以及服务器的 pg_hba.conf 中针对 {user} 和本机的那一行。"
    ),
    "Correct `store`.": "请改正 `store`。",
    "Create it on the server with `createdb -O {user} {database}`, or correct `store`.": (
        "请在服务器上用 `createdb -O {user} {database}` 创建它，或改正 `store`。"
    ),
    "Create one on the server: `CREATE SCHEMA public AUTHORIZATION {user};`": (
        "请在服务器上创建一个：`CREATE SCHEMA public AUTHORIZATION {user};`"
    ),
    "Free space on the disk of the database server.": "请在数据库服务器的磁盘上腾出空间。",
    "If the fleet had no seal until now, run `dnsrenew fleet init --seal-existing`; otherwise another program wrote "
    "this: remove it, or restore the database from a backup.": (
        "如果此集群此前没有 `seal`，请运行 `dnsrenew fleet init --seal-existing`；否则这是其他程序写入的：请将其删"
        "除，或从备份恢复数据库。"
    ),
    "Install them: {command}": "请安装它们：{command}",
    "Lower `concurrency` in [fleet], or find out why the database is slow (pg_stat_activity).": (
        "请调低 [fleet] 中的 `concurrency`，或查明数据库为何缓慢（pg_stat_activity）。"
    ),
    "Make {user} the owner of the tables in {database}, or grant it all rights on the schema, its tables and its "
    "sequences.": ("请把 {user} 设为 {database} 中数据表的所有者，或授予它对 schema 及其中的数据表和序列的所有权限。"),
    "Nothing to do for the {what}; if it was not removed, check the network between this host and {server}.": (
        "{what} 无需处理；如果它没有被删除，请检查本机与 {server} 之间的网络。"
    ),
    "Raise max_connections of PostgreSQL, or a CONNECTION LIMIT of {user} or {database}; a worker uses one "
    "connection for each certificate in progress, and a few more.": (
        "请调高 PostgreSQL 的 max_connections，或 {user} 或 {database} 的 CONNECTION LIMIT；工作进程正在处理的每个证书"
        "使用一个连接，此外还需要几个。"
    ),
    "Restore the database from a backup.": "请从备份恢复数据库。",
    "Run `dnsrenew fleet init`.": "请运行 `dnsrenew fleet init`。",
    "Set `seal` to the seal of this fleet, or to a list with the new seal first and the old one after it.": (
        "请把 `seal` 设为此集群的密钥，或设为列表：新密钥在前，旧密钥在后。"
    ),
    "Set `seal` to the seal of this fleet.": "请把 `seal` 设为此集群的密钥。",
    "Set `seal` to the seal of this fleet; if it is right, restore the database from a backup.": (
        "请把 `seal` 设为此集群的密钥；如果密钥无误，请从备份恢复数据库。"
    ),
    "Set `store` to an address such as postgresql://USER@HOST/DATABASE.": (
        "请把 `store` 设为 postgresql://USER@HOST/DATABASE 这样的地址。"
    ),
    "Set `store` to the address of PostgreSQL itself, or set the pooler to session mode (PgBouncer: pool_mode = "
    "session).": (
        "请把 `store` 设为 PostgreSQL 本身的地址，或把连接池程序设为会话模式（PgBouncer：pool_mode = session）。"
    ),
    "Set `store` to the address of the primary server.": "请把 `store` 设为主服务器的地址。",
    "Set default_transaction_read_only to off: `ALTER ROLE {user} RESET default_transaction_read_only;` and `ALTER "
    "DATABASE {database} RESET default_transaction_read_only;`, or in postgresql.conf.": (
        "请把 default_transaction_read_only 设为 off：运行 `ALTER ROLE {user} RESET default_transaction_read_only;` 和 "
        "`ALTER DATABASE {database} RESET default_transaction_read_only;`，或在 postgresql.conf 中修改。"
    ),
    "The address of the database is not valid.": "数据库的地址无效。",
    "The connection to the database at {server} was lost, and another run has locked the {what} since; nothing was "
    "written.": ("与 {server} 上数据库的连接已中断，此后另一个运行锁定了 {what}；没有写入任何内容。"),
    "The connection to the database at {server} was lost, and with it the lock of the {what}.": (
        "与 {server} 上数据库的连接已中断，{what} 的锁也随之失去。"
    ),
    "The database at {server} cannot be used: {reason}.": "无法使用 {server} 上的数据库：{reason}。",
    "The database at {server} cannot write: {reason}.": "{server} 上的数据库无法写入：{reason}。",
    "The database at {server} denied {user} a statement: {reason}.": (
        "{server} 上的数据库拒绝 {user} 执行一条语句：{reason}。"
    ),
    "The database at {server} did not answer for {seconds:g} s.": "{server} 上的数据库在 {seconds:g} 秒内没有应答。",
    "The database at {server} refused a statement: {reason}.": "{server} 上的数据库拒绝了一条语句：{reason}。",
    "The database server {server} accepts no more connections: {reason}.": (
        "数据库服务器 {server} 不再接受新的连接：{reason}。"
    ),
    "The database server {server} has no database {database}.": "数据库服务器 {server} 上没有数据库 {database}。",
    "The database server {server} is PostgreSQL {version}, and dnsrenew needs 14 or later.": (
        "数据库服务器 {server} 是 PostgreSQL {version}，而 dnsrenew 需要 14 或更高版本。"
    ),
    "The database server {server} is a replica, which can only be read.": "数据库服务器 {server} 是副本，只能读取。",
    "The database server {server} refused the login of {user}: {reason}.": (
        "数据库服务器 {server} 拒绝 {user} 登录：{reason}。"
    ),
    "The database {database} at {server} can only be read by {user}.": (
        "{user} 对 {server} 上的数据库 {database} 只能读取。"
    ),
    "The database {database} at {server} has no tables of dnsrenew.": (
        "{server} 上的数据库 {database} 中没有 dnsrenew 的数据表。"
    ),
    "The disk of the database server {server} failed: {reason}.": "数据库服务器 {server} 的磁盘出错：{reason}。",
    "The other run continues with the {what}; check the network between this host and {server}.": (
        "{what} 由另一个运行继续处理；请检查本机与 {server} 之间的网络。"
    ),
    "The private keys in the database {database} at {server} are sealed with a seal that [fleet] does not have.": (
        "{server} 上数据库 {database} 中的私钥所用的加密密钥不在 [fleet] 的 `seal` 中。"
    ),
    "The private keys in the database {database} at {server} are sealed, and [fleet] has no `seal`.": (
        "{server} 上数据库 {database} 中的私钥已加密，而 [fleet] 中没有 `seal`。"
    ),
    "The search path of {user} in the database {database} names no schema that exists.": (
        "{user} 在数据库 {database} 中的搜索路径（search_path）没有指向任何现有的 schema。"
    ),
    "The store is a PostgreSQL database, and packages for it are not installed: {packages}.": (
        "存储位置是 PostgreSQL 数据库，但没有安装所需的软件包：{packages}。"
    ),
    "The tables in the database {database} at {server} are of version {found}, and this dnsrenew needs {version}.": (
        "{server} 上数据库 {database} 中的数据表为版本 {found}，而此 dnsrenew 需要版本 {version}。"
    ),
    "The {what} was removed from the fleet, or another run has locked it since; nothing was written.": (
        "{what} 已从集群中删除，或此后被另一个运行锁定；没有写入任何内容。"
    ),
    "Upgrade dnsrenew on this host.": "请升级本机的 dnsrenew。",
    "Upgrade the server, or set `store` to another one.": "请升级该服务器，或把 `store` 设为其他服务器。",
    "What is stored at {place} in the database cannot be opened: it was changed, moved, or sealed with another seal.": (
        "数据库中 {place} 处的内容无法解密：它被更改或移动过，或是用其他密钥加密的。"
    ),
    "What is stored at {place} in the database is not sealed, and [fleet] has a `seal`.": (
        "数据库中 {place} 处的内容没有加密，而 [fleet] 有 `seal`。"
    ),
    "[fleet] has a `seal`, and values in the database {database} at {server} are not sealed: {places} ({count} in "
    "all).": ("[fleet] 有 `seal`，但 {server} 上数据库 {database} 中有未加密的值：{places}（共 {count} 个）。"),
    "an earlier statement of the transaction failed": "事务中之前的一条语句失败",
    "it may not change {table}": "无权更改 {table}",
    "the connection that holds the locks was lost": "持有锁的连接已中断",
    "the server closed the connection": "服务器关闭了连接",
}
