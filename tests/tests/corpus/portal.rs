//! Seeds of what a captive portal answers, and of what a browser asks the window's proxy for.

use crate::Seed;

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let answer = |name: &str, head: &str| (format!("answer_{name}"), [&[0], head.as_bytes()].concat());
    let request = |name: &str, head: &str| (format!("request_{name}"), [&[1], head.as_bytes()].concat());
    let seeds = vec![
        answer("redirection", "HTTP/1.1 302 Found\r\nLocation: https://login.example:8443/a?b=c\r\n\r\n"),
        answer("same_site", "HTTP/1.1 301 Moved\r\nLocation: https://hac.example/\r\n\r\n"),
        answer("required", "HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\n\r\n"),
        answer("page", "HTTP/1.0 200 OK\r\n\r\n<html>"),
        answer("half", "HTTP/1.1 302 Found\r\nLoca"),
        request(
            "page",
            "GET http://login.example:8080/a?b HTTP/1.1\r\nHost: login.example\r\nProxy-Connection: keep-alive\r\n\r\n",
        ),
        request("form", "POST http://[2001:db8::1]/login HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b"),
        request("tunnel", "CONNECT login.example:443 HTTP/1.1\r\nHost: login.example:443\r\n\r\n"),
        request("server_form", "GET / HTTP/1.1\r\n\r\n"),
    ];
    vec![("portal", seeds)]
}
