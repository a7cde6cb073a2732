// The cases, from Java's aXMLRPC, a library of clients of Odoo on Android. Arguments: open URL, database URL, user name and password of it.
// One JSON line for each case. Run from its source: java -cp axmlrpc.jar Client.java …
import de.timroes.axmlrpc.XMLRPCClient;
import de.timroes.axmlrpc.XMLRPCException;
import de.timroes.axmlrpc.XMLRPCServerException;
import java.net.URL;
import java.util.Arrays;
import java.util.GregorianCalendar;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.TimeZone;
import java.util.TreeMap;

public class Client {
    interface Check {
        String said() throws Exception;
    }

    static final int FLAGS = XMLRPCClient.FLAGS_NIL | XMLRPCClient.FLAGS_8BYTE_INT | XMLRPCClient.FLAGS_DEFAULT_TYPE_STRING;

    static Map<String, Object> values() {
        byte[] bytes = new byte[256];
        for (int i = 0; i < 256; i += 1) bytes[i] = (byte) i;
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("int", -2147483648);
        values.put("i8", 9007199254740993L);
        values.put("boolean", true);
        values.put("string", "a < b && c > d ]]> \"e\" 'f'");
        values.put("unicode", "Grüße, 世界");
        values.put("astral", "🎉");
        values.put("lines", " one\r\ntwo\rthree\n\tfour ");
        values.put("double", -1.5e-7);
        values.put("date", new GregorianCalendar(1998, 6, 17, 14, 8, 55).getTime());
        values.put("base64", bytes);
        values.put("struct", map("lowerBound", 18, "upper", map("text", "x")));
        values.put("names", map("naïve <key> & co", "x", "", "no name"));
        values.put("array", list(1, "two", list(3.5, list(true, list())), map("four", list(4))));
        values.put("empty", list("", list(), map()));
        values.put("nil", list(null, map("nothing", null)));
        values.put("large", "0123456789abcdef".repeat(655360));
        return values;
    }

    static Object[] list(Object... items) {
        return items;
    }

    static Map<String, Object> map(Object... pairs) {
        Map<String, Object> map = new TreeMap<>();
        for (int i = 0; i < pairs.length; i += 2) map.put((String) pairs[i], pairs[i + 1]);
        return map;
    }

    static String cut(String text) {
        String line = text.lines().findFirst().orElse("");
        return line.length() > 200 ? line.substring(0, 200) : line;
    }

    static String tried(Check check) {
        try {
            return check.said();
        } catch (XMLRPCServerException fault) {
            return "fault " + fault.getErrorNr() + ": " + fault.getMessage();
        } catch (XMLRPCException error) {
            Throwable cause = error.getCause();
            return (cause == null ? error : cause).toString();
        } catch (Exception error) {
            return error.toString();
        }
    }

    static void report(String name, Check check) {
        String said = cut(tried(check));
        String outcome = said.isEmpty() ? "ok" : said;
        StringBuilder json = new StringBuilder();
        outcome.codePoints().forEach((c) -> {
            if (c == '"' || c == '\\') json.append('\\').appendCodePoint(c);
            else if (c < 32) json.append(String.format("\\u%04x", c));
            else json.appendCodePoint(c);
        });
        System.out.println("{\"case\":\"" + name + "\",\"outcome\":\"" + json + "\"}");
        System.out.flush();
    }

    static String shown(Object value) {
        if (value instanceof Object[] items) return Arrays.stream(items).map(Client::shown).toList().toString();
        if (value instanceof byte[] bytes) return "bytes" + Arrays.toString(bytes);
        if (value instanceof Map<?, ?> map) {
            Map<String, String> sorted = new TreeMap<>();
            map.forEach((key, item) -> sorted.put((String) key, shown(item)));
            return sorted.toString();
        }
        return value == null ? "null" : value.getClass().getSimpleName() + " " + value;
    }

    static String differs(Object got, Object wanted) {
        return shown(got).equals(shown(wanted)) ? "" : cut("got " + shown(got));
    }

    static String bothWays(XMLRPCClient client, String name, Object value) {
        String sent = tried(() -> (String) client.call("matrix.tell", name, value));
        String received = tried(() -> differs(client.call("matrix.give", name), value));
        StringBuilder wrong = new StringBuilder();
        if (!sent.isEmpty()) wrong.append("sent: ").append(cut(sent));
        if (!received.isEmpty()) wrong.append(wrong.isEmpty() ? "" : "; ").append("received: ").append(received);
        return wrong.toString();
    }

    static String fault(int code, String text, XMLRPCClient client, String method, Object... params) throws Exception {
        try {
            return "no fault but " + shown(client.call(method, params));
        } catch (XMLRPCServerException fault) {
            // Its message ends with the code in brackets.
            String said = fault.getMessage().replaceFirst(" \\[-?\\d+\\]$", "");
            boolean fits = fault.getErrorNr() == code && (text == null || said.equals(text));
            return fits ? "" : "fault " + fault.getErrorNr() + ": " + fault.getMessage();
        }
    }

    static String refused(XMLRPCClient client, int status) {
        String said = tried(() -> "no refusal but " + shown(client.call("system.listMethods")));
        return said.contains(Integer.toString(status)) ? "" : said;
    }

    static XMLRPCClient clientOf(String url, String... credentials) throws Exception {
        XMLRPCClient client = new XMLRPCClient(new URL(url), FLAGS);
        if (credentials.length > 0) client.setLoginData(credentials[0], credentials[1]);
        return client;
    }

    static Map<String, Object> item(String method, Object... params) {
        return map("methodName", method, "params", params);
    }

    static Object wire(XMLRPCClient client, String member) throws Exception {
        return ((Map<?, ?>) client.call("matrix.wire")).get(member);
    }

    public static void main(String[] arguments) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        String open = arguments[0];
        String database = arguments[1];
        String user = arguments[2];
        XMLRPCClient client = clientOf(open);
        values().forEach((name, value) -> report(name, () -> bothWays(client, name, value)));
        String text = "Ünïcode <&> ]]>";
        report("integral", () -> differs(client.call("matrix.give", "integral"), 3.0));
        report("positional", () -> differs(client.call("matrix.add", 1, 2), 3));
        report("named", () -> differs(client.call("matrix.add", map("a", 1, "b", 2)), 3));
        report("fault", () -> fault(17, text, client, "matrix.fail", 17, text));
        report("unknown-method", () -> fault(-32601, null, client, "matrix.nothing"));
        report("wrong-arguments", () -> fault(-32602, null, client, "matrix.add", "x"));
        report("multicall", () -> {
            Object[] calls = list(item("matrix.add", 1, 2), item("matrix.fail", 17, "no"), item("matrix.add", 3, 4));
            Object[] wanted = list(list(3), map("faultCode", 17, "faultString", "no"), list(7));
            return differs(client.call("system.multicall", (Object) calls), wanted);
        });
        report("introspection", () -> {
            if (!Arrays.asList((Object[]) client.call("system.listMethods")).contains("matrix.add")) return "system.listMethods does not name matrix.add";
            String said = differs(client.call("system.methodHelp", "matrix.add"), "Adds two integers.");
            Object[] wanted = list(list("int", "int", "int"), list("int", "struct"));
            return said.isEmpty() ? differs(client.call("system.methodSignature", "matrix.add"), wanted) : said;
        });
        report("keep-alive", () -> differs(wire(client, "connections"), wire(client, "connections")));
        report("gzip", () -> {
            client.call("matrix.give", "large");
            return Objects.equals(wire(client, "gzipReplies"), 0) ? "not compressed" : "";
        });
        report("no-credentials", () -> refused(clientOf(database), 401));
        report("wrong-password", () -> refused(clientOf(database, user, "wrong"), 403));
        XMLRPCClient partners = clientOf(database, user, arguments[3]);
        report("subject-form", () -> {
            Object domain = list((Object) list("is_company", "=", true));
            Object ids = partners.call("res.partner.search", list(), list(domain));
            String said = differs(ids, list(1, 3));
            if (!said.isEmpty()) return said;
            Object subject = map("records", ids, "context", map("lang", "de_DE"));
            Object[] wanted = list(map("id", 1, "name", "Azure GmbH"), map("id", 3, "name", "Gemini GmbH"));
            return differs(partners.call("res.partner.read", subject, map("fields", list("name"))), wanted);
        });
        report("struct-form", () -> {
            Object call = map("records", list(2), "context", map("lang", "en_US"), "args", list((Object) list("name")));
            return differs(partners.call("res.partner.read", call), list(map("id", 2, "name", "Ada")));
        });
    }
}
