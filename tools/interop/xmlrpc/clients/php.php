<?php
// The cases, from PHP's xmlrpc extension (xmlrpc-epi) over PHP's own HTTP streams. Arguments: open URL, database URL, user name and password of it.
// One JSON line for each case.
[, $open, $database, $user, $password] = $argv;
$text = "Ünïcode <&> ]]>";
ini_set("memory_limit", "512M");
ini_set("precision", "17");

function dated(string $iso): object
{
    xmlrpc_set_type($iso, "datetime");
    return $iso;
}

function bytes(string $bytes): object
{
    xmlrpc_set_type($bytes, "base64");
    return $bytes;
}

// An empty array has no type of its own: the extension takes it for an array.
$values = [
    "int" => -2147483648,
    "i8" => 9007199254740993,
    "boolean" => true,
    "string" => "a < b && c > d ]]> \"e\" 'f'",
    "unicode" => "Grüße, 世界",
    "astral" => "🎉",
    "lines" => " one\r\ntwo\rthree\n\tfour ",
    "double" => -1.5e-7,
    "date" => dated("19980717T14:08:55"),
    "base64" => bytes(implode("", array_map("chr", range(0, 255)))),
    "struct" => ["lowerBound" => 18, "upper" => ["text" => "x"]],
    "names" => ["naïve <key> & co" => "x", "" => "no name"],
    "array" => [1, "two", [3.5, [true, []]], ["four" => [4]]],
    "empty" => ["", [], []],
    "nil" => [null, ["nothing" => null]],
    "large" => str_repeat("0123456789abcdef", 655360),
];

class HttpStatus extends Exception
{
}

// One call; a fault comes back as what xmlrpc_is_fault() knows.
function ask(string $url, string $method, array $params, bool $gzip = false): mixed
{
    $document = xmlrpc_encode_request($method, $params, ["encoding" => "UTF-8", "escaping" => "markup", "verbosity" => "no_white_space"]);
    $parts = parse_url($url);
    $header = ["Content-Type: text/xml; charset=utf-8"];
    if (isset($parts["user"])) {
        $header[] = "Authorization: Basic " . base64_encode(urldecode($parts["user"]) . ":" . urldecode($parts["pass"]));
    }
    if ($gzip) {
        $header[] = "Accept-Encoding: gzip";
        $header[] = "Content-Encoding: gzip";
        $document = gzencode($document);
    }
    $options = ["method" => "POST", "header" => $header, "content" => $document, "ignore_errors" => true, "protocol_version" => 1.1];
    $context = stream_context_create(["http" => $options]);
    $target = "http://{$parts["host"]}:{$parts["port"]}{$parts["path"]}";
    $reply = file_get_contents($target, false, $context);
    $status = (int) explode(" ", $http_response_header[0])[1];
    if ($status !== 200) {
        throw new HttpStatus("HTTP $status");
    }
    if (preg_grep("/^content-encoding: gzip/i", $http_response_header)) {
        $reply = gzdecode($reply);
    }
    return xmlrpc_decode($reply, "UTF-8");
}

function answer(string $url, string $method, mixed ...$params): mixed
{
    $value = ask($url, $method, $params);
    if (is_array($value) && xmlrpc_is_fault($value)) {
        throw new Exception("fault {$value["faultCode"]}: {$value["faultString"]}");
    }
    return $value;
}

function report(string $case, callable $check): void
{
    try {
        $said = $check() ?: "ok";
    } catch (Throwable $error) {
        $said = $error->getMessage();
    }
    echo json_encode(["case" => $case, "outcome" => substr($said, 0, 200)], JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}

function differs(mixed $got, mixed $wanted): string
{
    // Objects of the extension (dates, bytes) are compared member by member, everything else with its type.
    $same = is_object($wanted) ? $got instanceof stdClass && $got->scalar === $wanted->scalar : $got === $wanted;
    return $same ? "" : "got " . substr(str_replace("\n", " ", var_export($got, true)), 0, 160);
}

function tried(callable $check): string
{
    try {
        return $check();
    } catch (Throwable $error) {
        return $error->getMessage();
    }
}

function bothWays(string $url, string $name, mixed $value): string
{
    $sent = tried(fn() => (string) answer($url, "matrix.tell", $name, $value));
    $received = tried(fn() => differs(answer($url, "matrix.give", $name), $value));
    return implode("; ", array_filter([$sent === "" ? "" : "sent: $sent", $received === "" ? "" : "received: $received"]));
}

function fault(int $code, ?string $text, string $url, string $method, mixed ...$params): string
{
    $value = ask($url, $method, $params);
    if (!is_array($value) || !xmlrpc_is_fault($value)) {
        return "no fault but " . json_encode($value);
    }
    $fits = $value["faultCode"] === $code && ($text === null || $value["faultString"] === $text);
    return $fits ? "" : "fault {$value["faultCode"]}: {$value["faultString"]}";
}

function refused(string $url, int $status): string
{
    try {
        return "no refusal but " . json_encode(ask($url, "system.listMethods", []));
    } catch (HttpStatus $error) {
        return $error->getMessage() === "HTTP $status" ? "" : $error->getMessage();
    }
}

function withCredentials(string $url, string $user, string $password): string
{
    return str_replace("://", "://" . rawurlencode($user) . ":" . rawurlencode($password) . "@", $url);
}

foreach ($values as $name => $value) {
    report($name, fn() => bothWays($open, $name, $value));
}
report("integral", fn() => differs(answer($open, "matrix.give", "integral"), 3.0));
report("positional", fn() => differs(answer($open, "matrix.add", 1, 2), 3));
report("named", fn() => differs(answer($open, "matrix.add", ["a" => 1, "b" => 2]), 3));
report("fault", fn() => fault(17, $text, $open, "matrix.fail", 17, $text));
report("unknown-method", fn() => fault(-32601, null, $open, "matrix.nothing"));
report("wrong-arguments", fn() => fault(-32602, null, $open, "matrix.add", "x"));
report("multicall", function () use ($open) {
    $item = fn(string $method, mixed ...$params) => ["methodName" => $method, "params" => $params];
    $calls = [$item("matrix.add", 1, 2), $item("matrix.fail", 17, "no"), $item("matrix.add", 3, 4)];
    return differs(answer($open, "system.multicall", $calls), [[3], ["faultCode" => 17, "faultString" => "no"], [7]]);
});
report("introspection", function () use ($open) {
    if (!in_array("matrix.add", answer($open, "system.listMethods"), true)) {
        return "system.listMethods does not name matrix.add";
    }
    return differs(answer($open, "system.methodHelp", "matrix.add"), "Adds two integers.")
        ?: differs(answer($open, "system.methodSignature", "matrix.add"), [["int", "int", "int"], ["int", "struct"]]);
});
report("keep-alive", fn() => answer($open, "matrix.wire")["connections"] === answer($open, "matrix.wire")["connections"] ? "" : "a connection for each call");
report("gzip", function () use ($open, $values) {
    $said = differs(ask($open, "matrix.give", ["large"], true), $values["large"]);
    $wire = answer($open, "matrix.wire");
    return $said ?: ($wire["gzipRequests"] && $wire["gzipReplies"] ? "" : "not compressed");
});
report("no-credentials", fn() => refused($database, 401));
report("wrong-password", fn() => refused(withCredentials($database, $user, "wrong"), 403));
$partners = withCredentials($database, $user, $password);
report("subject-form", function () use ($partners) {
    $ids = answer($partners, "res.partner.search", [], [[["is_company", "=", true]]]);
    return differs($ids, [1, 3])
        ?: differs(answer($partners, "res.partner.read", ["records" => $ids, "context" => ["lang" => "de_DE"]], ["fields" => ["name"]]),
            [["id" => 1, "name" => "Azure GmbH"], ["id" => 3, "name" => "Gemini GmbH"]]);
});
report("struct-form", fn() => differs(answer($partners, "res.partner.read", ["records" => [2], "context" => ["lang" => "en_US"], "args" => [["name"]]]),
    [["id" => 2, "name" => "Ada"]]));
