"""Deployment: targets, the programs and servers that they use, what is served afterwards."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Add `stats socket {socket} mode 660 level admin` to the global section of HAProxy, and restart it once.": (
        "请把 `stats socket {socket} mode 660 level admin` 加入 HAProxy 的 global 段，并重启一次 HAProxy。"
    ),
    "Add `token`, or `user` and `password`, to the `deploy` entry.": (
        "请在 `deploy` 条目中添加 `token`，或添加 `user` 和 `password`。"
    ),
    "Caddy at {url} did not load its configuration again (HTTP {status}): {reason}": (
        "{url} 处的 Caddy 没有重新加载配置（HTTP {status}）：{reason}"
    ),
    "Check `container` in the `deploy` entry, and that the container runs.": (
        "请检查 `deploy` 条目中的 `container`，以及该容器是否在运行。"
    ),
    "Check `host` and `port` in the `deploy` entry, and that sshd runs there and offers sftp.": (
        "请检查 `deploy` 条目中的 `host` 和 `port`，以及该处的 sshd 是否在运行并提供 sftp。"
    ),
    "Check `user` and `identity` in the `deploy` entry, and authorized_keys of that user.": (
        "请检查 `deploy` 条目中的 `user` 和 `identity`，以及该用户的 authorized_keys。"
    ),
    "Check `user`, `password` and `device` in the `deploy` entry; the user must be an administrator.": (
        "请检查 `deploy` 条目中的 `user`、`password` 和 `device`；该用户必须是管理员。"
    ),
    "Check that a `crt` of HAProxy's configuration names exactly {path}, and that the socket has `level admin`.": (
        "请检查 HAProxy 配置中是否有 `crt` 的值正是 {path}，以及该套接字是否有 `level admin`。"
    ),
    "Check that the server loads these files; if it has a certificate of each type, allow TLS 1.2 there or leave "
    "`verify` out, because with TLS 1.3 alone dnsrenew cannot ask for one of them.": (
        "请检查服务器是否加载这些文件；如果服务器对每种密钥类型各有一个证书，请在服务器上允许 TLS 1.2 或去掉 `verify`，"
        "因为只用 TLS 1.3 时 dnsrenew 无法指定要查看其中哪一个。"
    ),
    "Check that the server runs and that its address in the `deploy` entry is right.": (
        "请检查服务器是否在运行，以及 `deploy` 条目中的地址是否正确。"
    ),
    "Check that the server's configuration names these files, and that the `reload` command loads them.": (
        "请检查服务器的配置是否引用这些文件，以及 `reload` 命令是否会加载它们。"
    ),
    "Check the load of {name}, and run dnsrenew deploy {certificate}.": (
        "请检查 {name} 的负载，然后运行 dnsrenew deploy {certificate}。"
    ),
    "Check the server now, then run dnsrenew deploy {certificate}.": (
        "请立即检查服务器，然后运行 dnsrenew deploy {certificate}。"
    ),
    "Check the tasks of {name}, and run dnsrenew deploy {certificate}.": (
        "请检查 {name} 的任务，然后运行 dnsrenew deploy {certificate}。"
    ),
    "Check the token or the user and password in the `deploy` entry, and the rights of that user.": (
        "请检查 `deploy` 条目中的令牌或用户和密码，以及该用户的权限。"
    ),
    "Choose another HTTPS port in the admin page of HFS, or stop the program that uses this one.": (
        "请在 HFS 的管理页面换用其他 HTTPS 端口，或停止占用该端口的程序。"
    ),
    "Compare the host key with that of the server, and correct {known_hosts}.": (
        "请将此主机密钥与服务器的主机密钥比对，并更正 {known_hosts}。"
    ),
    "Correct `verify` (and `starttls`) in the `deploy` entry, or the configuration of the server.": (
        "请更正 `deploy` 条目中的 `verify`（和 `starttls`），或更正服务器的配置。"
    ),
    "Correct the client certificate and its key, and run dnsrenew deploy {certificate}.": (
        "请更正客户端证书及其私钥，然后运行 dnsrenew deploy {certificate}。"
    ),
    "Correct the path in the `deploy` entry, or move {path} elsewhere.": (
        "请更正 `deploy` 条目中的路径，或把 {path} 移到别处。"
    ),
    "Correct what Caddy reports, and run dnsrenew deploy.": "请解决 Caddy 报告的问题，然后运行 dnsrenew deploy。",
    "Correct what {name} reports, and run dnsrenew deploy {certificate}.": (
        "请解决 {name} 报告的问题，然后运行 dnsrenew deploy {certificate}。"
    ),
    "Create the folder there, and allow the user of the SSH login to write to it.": (
        "请在那里创建该目录，并允许 SSH 登录的用户写入。"
    ),
    "Create {folder}, or correct the path in the `deploy` entry.": "请创建 {folder}，或更正 `deploy` 条目中的路径。",
    "Delete that secret, or set another `secret` in the `deploy` entry.": (
        "请删除该 secret，或在 `deploy` 条目中设置其他 `secret`。"
    ),
    "Docker gave no complete answer for the container {container} within {seconds} s.": (
        "Docker 未能在 {seconds} 秒内就容器 {container} 给出完整应答。"
    ),
    "Docker refused a request for the container {container} (HTTP {status}): {reason}.": (
        "Docker 拒绝了针对容器 {container} 的请求（HTTP {status}）：{reason}。"
    ),
    "Find out why the command takes so long, or set a longer `timeout` in the `deploy` entry.": (
        "请查明该命令为何耗时过长，或在 `deploy` 条目中调大 `timeout`。"
    ),
    "Find out why the program or Docker takes so long, or set a longer `timeout` in the `deploy` entry.": (
        "请查明该程序或 Docker 为何耗时过长，或在 `deploy` 条目中调大 `timeout`。"
    ),
    "Find out why {host} takes so long, or set a longer `timeout` in the `deploy` entry.": (
        "请查明 {host} 为何耗时过长，或在 `deploy` 条目中调大 `timeout`。"
    ),
    "Free space on the disk that holds {folder}; the old files are still in place.": (
        "请在 {folder} 所在的磁盘上腾出空间；旧文件仍在原处。"
    ),
    "HAProxy at {socket} refused the certificate: {reason}": "{socket} 处的 HAProxy 拒绝了证书：{reason}",
    "HFS at {url} cannot open its HTTPS port: {reason}.": "{url} 处的 HFS 无法打开其 HTTPS 端口：{reason}。",
    "HFS at {url} does not allow this program to change its settings (HTTP {status}).": (
        "{url} 处的 HFS 不允许此程序更改其设置（HTTP {status}）。"
    ),
    "HFS at {url} names the folder {folder}, but users other than {user} can change {path}: the private key is not "
    "written there, because a program of theirs could answer in place of HFS.": (
        "{url} 处的 HFS 指明的目录是 {folder}，但 {user} 以外的用户可以更改 {path}：因此没有把私钥写到那里，因为应答的"
        "可能是这些用户的程序而不是 HFS。"
    ),
    "HFS at {url} refused a request (HTTP {status}): {reason}.": (
        "{url} 处的 HFS 拒绝了请求（HTTP {status}）：{reason}。"
    ),
    "HFS does not answer at {url}: {reason}.": "HFS 在 {url} 没有应答：{reason}。",
    "HTTPS is switched off in HFS at {url}.": "{url} 处的 HFS 已关闭 HTTPS。",
    "If this is the folder of your HFS, set `folder` to it in the `deploy` entry.": (
        "如果这是您的 HFS 的目录，请在 `deploy` 条目中把 `folder` 设为它。"
    ),
    "Install the client programs of OpenSSH.": "请安装 OpenSSH 的客户端程序。",
    "Install {program}, or correct the command in the `deploy` entry.": (
        "请安装 {program}，或更正 `deploy` 条目中的命令。"
    ),
    "Allow the user {user} to write to {folder}, or run dnsrenew as a user that can.": (
        "请允许用户 {user} 写入 {folder}，或以能够写入的用户运行 dnsrenew。"
    ),
    "Move {path} elsewhere, or set another path in the `deploy` entry.": (
        "请把 {path} 移到别处，或在 `deploy` 条目中设置其他路径。"
    ),
    "Name the folder that the link leads to in the `deploy` entry, or run `{command}`.": (
        "请在 `deploy` 条目中写明该链接指向的目录，或运行 `{command}`。"
    ),
    "Nothing accepts connections at {address}: {reason}.": "{address} 不接受连接：{reason}。",
    "Read the log of DSM, correct what it reports, and run dnsrenew deploy {certificate}.": (
        "请阅读 DSM 的日志，解决其中的问题，然后运行 dnsrenew deploy {certificate}。"
    ),
    "Read the log of HFS, correct what it reports, and run dnsrenew deploy.": (
        "请阅读 HFS 的日志，解决其中的问题，然后运行 dnsrenew deploy。"
    ),
    "Read the log of the server at that address, correct what it reports, and run dnsrenew deploy.": (
        "请阅读该地址处服务器的日志，解决其中的问题，然后运行 dnsrenew deploy。"
    ),
    "Report this to the author of the deployer {to}.": "请向部署程序 {to} 的作者报告此问题。",
    "Run `dnsrenew schedule install` again, so that the unit allows writing to {folder}.": (
        "请重新运行 `dnsrenew schedule install`，使该单元允许写入 {folder}。"
    ),
    "Run dnsrenew as root, or remove `owner` and `group` from the `deploy` entry.": (
        "请以 root 运行 dnsrenew，或从 `deploy` 条目中删除 `owner` 和 `group`。"
    ),
    "Run dnsrenew renew --force {certificate}, which creates a new pair.": (
        "请运行 dnsrenew renew --force {certificate}，它会生成一对新的证书和私钥。"
    ),
    "Run it with docker exec, correct what it reports, and run dnsrenew deploy {certificate}.": (
        "请用 docker exec 运行它，解决它报告的问题，然后运行 dnsrenew deploy {certificate}。"
    ),
    "Run the command by hand, correct what is wrong, and run dnsrenew deploy {certificate}.": (
        "请手动运行该命令，纠正错误，然后运行 dnsrenew deploy {certificate}。"
    ),
    "Run the command by hand, correct what it reports, and run dnsrenew deploy {certificate}.": (
        "请手动运行该命令，解决它报告的问题，然后运行 dnsrenew deploy {certificate}。"
    ),
    "Run the command on {host}, correct what it reports, and run dnsrenew deploy {certificate}.": (
        "请在 {host} 上运行该命令，解决它报告的问题，然后运行 dnsrenew deploy {certificate}。"
    ),
    "Set `kubeconfig` in the `deploy` entry, or mount the token of a service account.": (
        "请在 `deploy` 条目中设置 `kubeconfig`，或挂载服务账户（service account）的令牌。"
    ),
    "Set `socket` in the `deploy` entry to the socket of Docker or Podman.": (
        "请把 `deploy` 条目中的 `socket` 设为 Docker 或 Podman 的套接字。"
    ),
    "Set `trust` in the `deploy` entry to a file with root certificates in PEM format.": (
        "请把 `deploy` 条目中的 `trust` 设为含有 PEM 格式根证书的文件。"
    ),
    "Set `trust` in the `deploy` entry to its root certificate, and use a name in `url` that its certificate has.": (
        "请把 `deploy` 条目中的 `trust` 设为它的根证书，并在 `url` 中使用其证书所含的名称。"
    ),
    "Set `url` in the `deploy` entry to the address of {name}.": "请把 `deploy` 条目中的 `url` 设为 {name} 的地址。",
    "Set `user` and `password` of an HFS admin in the `deploy` entry, or open the admin page to this machine.": (
        "请在 `deploy` 条目中设置 HFS 管理员的 `user` 和 `password`，或向本机开放管理页面。"
    ),
    "Set a path without line breaks and other control characters in the `deploy` entry.": (
        "请在 `deploy` 条目中设置不含换行等控制字符的路径。"
    ),
    "Start Docker, allow the user of dnsrenew to use {socket}, or set `socket` in the `deploy` entry.": (
        "请启动 Docker，允许运行 dnsrenew 的用户使用 {socket}，或在 `deploy` 条目中设置 `socket`。"
    ),
    "Start HFS, or set `url` in the `deploy` entry to the address of its admin page.": (
        "请启动 HFS，或把 `deploy` 条目中的 `url` 设为其管理页面的地址。"
    ),
    "Start the server, or correct `verify` in the `deploy` entry.": "请启动服务器，或更正 `deploy` 条目中的 `verify`。",
    "Switch it on again in the admin page of HFS if you stop using dnsrenew for it.": (
        "如果不再用 dnsrenew 为它续期，请在 HFS 的管理页面重新开启。"
    ),
    "Switch on HTTPS in the admin page of HFS, or set https = true in the `deploy` entry.": (
        "请在 HFS 的管理页面开启 HTTPS，或在 `deploy` 条目中设置 https = true。"
    ),
    "The certificate and its key cannot be loaded together: {reason}.": "证书与其私钥无法一同加载：{reason}。",
    "The deployer {to} failed with an error of its own: {cause}.": "部署程序 {to} 自身出错：{cause}。",
    "The files on {host} cannot be written: {reason}.": "无法写入 {host} 上的文件：{reason}。",
    "The folder {folder} does not exist.": "目录 {folder} 不存在。",
    "The host key of {host} is unknown or has changed, so nothing was sent: {reason}.": (
        "{host} 的主机密钥未知或已更改，因此没有发送任何内容：{reason}。"
    ),
    "The host {host} cannot be reached by SSH: {reason}.": "无法通过 SSH 连接主机 {host}：{reason}。",
    "The host {host} did not end an SSH command after {seconds} s.": (
        "主机 {host} 在 {seconds} 秒后仍未执行完一条 SSH 命令。"
    ),
    "The host {host} refused the login: {reason}.": "主机 {host} 拒绝登录：{reason}。",
    "The kubeconfig {path} cannot be read: {reason}.": "无法读取 kubeconfig 文件 {path}：{reason}。",
    "The old certificate could not be put back at {target}: {reason}.": "无法在 {target} 恢复旧证书：{reason}。",
    "The old files are back at {target}, but could not be activated: {reason}.": (
        "旧文件已在 {target} 恢复，但无法使其生效：{reason}。"
    ),
    "The owner of {path} cannot be set to {owner}: {reason}.": "无法把 {path} 的所有者设为 {owner}：{reason}。",
    "The path {path} has a character that cannot be sent to {host}.": "路径 {path} 中有无法发送给 {host} 的字符。",
    "The program {program} cannot be run: {reason}.": "无法运行程序 {program}：{reason}。",
    "The program {program} in the container {container} ended with status {status}: {output}.": (
        "容器 {container} 中的程序 {program} 以状态 {status} 结束：{output}。"
    ),
    "The program {program} of OpenSSH cannot be run: {reason}.": "无法运行 OpenSSH 的程序 {program}：{reason}。",
    "The program {program} on {host} ended with status {status}: {reason}.": (
        "{host} 上的程序 {program} 以状态 {status} 结束：{reason}。"
    ),
    "The renewal of HFS itself was switched off, because it would replace this certificate.": (
        "已关闭 HFS 自身的续期，因为它会替换此证书。"
    ),
    "The runtime socket {socket} of HAProxy cannot be used: {reason}.": (
        "无法使用 HAProxy 的运行时套接字 {socket}：{reason}。"
    ),
    "The secret {secret} in the namespace {namespace} exists and is of type {type}, not kubernetes.io/tls.": (
        "命名空间 {namespace} 中已有名为 {secret} 的 secret，其类型是 {type}，而不是 kubernetes.io/tls。"
    ),
    "The socket {socket} of Docker cannot be used: {reason}.": "无法使用 Docker 的套接字 {socket}：{reason}。",
    "The systemd unit that runs dnsrenew does not allow it to write {path}: {reason}.": (
        "运行 dnsrenew 的 systemd 单元不允许写入 {path}：{reason}。"
    ),
    "This is no pod of a cluster with a service account: {path} cannot be read.": (
        "这里不是集群中带有服务账户（service account）的 pod：无法读取 {path}。"
    ),
    'Update HFS to version 3.0 or later, or use to = "files" with the files that HFS reads.': (
        '请把 HFS 升级到 3.0 或更高版本，或改用 to = "files"，写入 HFS 读取的文件。'
    ),
    "Use an https:// address in the `deploy` entry.": "请在 `deploy` 条目中使用 https:// 地址。",
    'Use to = "ssh" in the `deploy` entry, with a `reload` that imports the files by midclt.': (
        '请在 `deploy` 条目中改用 to = "ssh"，并用 `reload` 通过 midclt 导入这些文件。'
    ),
    "What answers at {socket} is not the API of Docker.": "在 {socket} 应答的不是 Docker 的 API。",
    "The server at {url} is not HFS 3, or is too old to return its settings.": (
        "{url} 处的服务器不是 HFS 3，或其版本过旧，无法给出设置。"
    ),
    "What answers at {url} is not the API of {name}: {reason}.": "在 {url} 应答的不是 {name} 的 API：{reason}。",
    "Write it with kubectl config view --minify --flatten --raw -o json, readable only by the user of dnsrenew.": (
        "请用 kubectl config view --minify --flatten --raw -o json 生成该文件，并只允许运行 dnsrenew 的用户读取。"
    ),
    "one without a name": "没有名称的证书",
    "{address} accepts connections, but speaks no TLS there: {reason}.": (
        "{address} 接受连接，但在该处不使用 TLS：{reason}。"
    ),
    "{address} serves another certificate for {name} after {seconds} s, with an {key} key in place of {expected}: "
    "{subject}, valid until {not_after}.": (
        "{seconds} 秒后 {address} 为 {name} 提供的是另一个证书，其密钥类型是 {key} 而不是 {expected}：{subject}，有效期"
        "至 {not_after}。"
    ),
    "{address} still serves another certificate for {name} after {seconds} s: {subject}, valid until {not_after}.": (
        "{seconds} 秒后 {address} 为 {name} 提供的仍是另一个证书：{subject}，有效期至 {not_after}。"
    ),
    "{name} at {url} did not answer in time: {reason}.": "{url} 处的 {name} 没有及时应答：{reason}。",
    "{name} at {url} did not import the certificate: {reason}.": "{url} 处的 {name} 没有导入证书：{reason}。",
    "{name} at {url} has no REST API, which version 26 removed.": (
        "{url} 处的 {name} 没有 REST API，第 26 版已将其移除。"
    ),
    "{name} at {url} needs a token, or a user and a password, and the `deploy` entry has neither.": (
        "{url} 处的 {name} 需要令牌，或用户和密码，而 `deploy` 条目中两者都没有。"
    ),
    "{name} at {url} refused a request (HTTP {status}): {reason}.": (
        "{url} 处的 {name} 拒绝了请求（HTTP {status}）：{reason}。"
    ),
    "{name} at {url} refused the call {call} (error {number}).": (
        "{url} 处的 {name} 拒绝了调用 {call}（错误 {number}）。"
    ),
    "{name} at {url} refused the login: {reason} (error {number}).": (
        "{url} 处的 {name} 拒绝登录：{reason}（错误 {number}）。"
    ),
    "{name} at {url} refused the token or the password, or its user lacks a permission (HTTP {status}).": (
        "{url} 上的 {name} 拒绝了令牌或密码，或其用户没有所需的权限（HTTP {status}）。"
    ),
    "{name} at {url} was not asked: the client certificate cannot be used: {reason}.": (
        "没有向 {url} 处的 {name} 发送请求：无法使用客户端证书：{reason}。"
    ),
    "{name} at {url} was not asked: the file {path} has no root certificate that can be read.": (
        "没有向 {url} 处的 {name} 发送请求：文件 {path} 中没有可读取的根证书。"
    ),
    "{name} at {url} was not asked: {reason}.": "没有向 {url} 处的 {name} 发送请求：{reason}。",
    "{name} at {url} was still importing the certificate after {seconds} s.": (
        "{url} 处的 {name} 在 {seconds} 秒后仍在导入证书。"
    ),
    "{path} is larger than 1 MB, so it is no certificate or key, and is not replaced.": (
        "{path} 大于 1 MB，因此不是证书或私钥，不会被替换。"
    ),
    "{path} on {host} is larger than 1 MB, so it is no certificate or key, and is not replaced.": (
        "{host} 上的 {path} 大于 1 MB，因此不是证书或私钥，不会被替换。"
    ),
    "{path} is not a file, so it cannot be replaced.": "{path} 不是文件，因此无法替换。",
    "{path}, on the way to {file}, is a link of {owner}, so {owner} decides which file {user} replaces.": (
        "通往 {file} 的路径上的 {path} 是 {owner} 的链接，因此 {user} 替换哪个文件由 {owner} 决定。"
    ),
    "{program} ended with status {status} and printed nothing.": "{program} 以状态 {status} 结束，没有任何输出。",
    "{program} ended with status {status}: {output}": "{program} 以状态 {status} 结束：{output}",
    "{program} was still running after {seconds} s, and was ended.": "{program} 在 {seconds} 秒后仍在运行，已被终止。",
    "{url} answered with status {status}.": "{url} 应答的状态为 {status}。",
    "{url} does not answer: {reason}.": "{url} 没有应答：{reason}。",
    "{socket} is not encrypted and not on this machine, so nothing was sent.": (
        "{socket} 未加密，也不在本机，因此没有发送任何内容。"
    ),
    "Set `socket` to the runtime socket of an HAProxy on this machine, or deploy with ssh.": (
        "请把 `socket` 设为本机 HAProxy 的运行时套接字，或用 ssh 部署。"
    ),
    "{url} is not encrypted, so nothing was sent.": "{url} 未加密，因此没有发送任何内容。",
}
