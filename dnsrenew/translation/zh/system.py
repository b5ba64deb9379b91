"""The reasons of the operating system, in the words of Linux."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Address already in use": "地址已被占用",
    "Broken pipe": "管道已断开",
    "Cannot allocate memory": "无法分配内存",
    "Cannot assign requested address": "无法分配请求的地址",
    "Connection refused": "连接被拒绝",
    "Connection reset by peer": "连接被对方重置",
    "Connection timed out": "连接超时",
    "Device or resource busy": "设备或资源忙",
    "Directory not empty": "目录不为空",
    "Disk quota exceeded": "超出磁盘配额",
    "Exec format error": "可执行文件格式错误",
    "File exists": "文件已存在",
    "File name too long": "文件名过长",
    "Input/output error": "输入/输出错误",
    "Invalid argument": "参数无效",
    "Invalid cross-device link": "跨设备的链接无效",
    "Is a directory": "是目录",
    "Network is unreachable": "网络不可达",
    "No route to host": "没有到主机的路由",
    "No space left on device": "设备上没有剩余空间",
    "No such device or address": "没有该设备或地址",
    "No such file or directory": "文件或目录不存在",
    "Not a directory": "不是目录",
    "Operation not permitted": "不允许此操作",
    "Permission denied": "没有权限",
    "Read-only file system": "文件系统只读",
    "Software caused connection abort": "连接被中止",
    "Too many levels of symbolic links": "符号链接层数过多",
    "Too many open files": "打开的文件过多",
    "Too many open files in system": "系统中打开的文件过多",
}
