#!/usr/bin/env bash
# Guess:   a POST is sent once: it is not idempotent (RFC 9110, 9.2.2: "A user agent SHOULD NOT automatically retry a request
#          with a non-idempotent method"), and a connection that ends without an answer is an error of the caller's.
# Truth:   Java's `HttpURLConnection` sends a POST once more when the connection ends before an answer, also where it was a
#          new one, and the program hears only of the second attempt. What a server has taken and not yet answered when it
#          was restarted is said twice, and the caller sees one success. `-Dsun.net.http.retryPost=false` ends it.
#          `java.net.http.HttpClient` sends it once.
# Version: OpenJDK 17, as in Debian 12 (17.0.21.1+2-1~deb12u1). Source: `parseHTTPHeader` in sun.net.www.http.HttpClient,
#          `retryPostProp`, "true" by default; the javadoc of `HttpURLConnection` does not name it.
# So:      what posts by it says an id for each message, and the server knows that it has it (`cid`, Idempotency-Key).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in openjdk-17-jre-headless openjdk-17-jdk-headless; do
  apt-get download -qq "$package=17.0.21.1+2-1~deb12u1" 2>/dev/null
done
for file in *.deb; do dpkg -x "$file" .; done
# Its settings are where the package would put them.
java=$folder/usr/lib/jvm/java-17-openjdk-$(dpkg --print-architecture)
find "$java" -lname '/etc/*' | while read -r link; do ln -sfn "$folder$(readlink "$link")" "$link"; done
"$java/bin/java" -version 2>&1 | head -1

cat >Find.java <<'JAVA'
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A server that reads each request to its end, hangs up on the first one, and answers the next with 201. */
class Find {
    static final byte[] BODY = "hello".getBytes(StandardCharsets.UTF_8);
    static final List<String> posts = new ArrayList<>();
    static ServerSocket server;

    static void serve() {
        try {
            while (true) {
                try (Socket line = server.accept()) {
                    var input = new BufferedReader(new InputStreamReader(line.getInputStream(), StandardCharsets.UTF_8));
                    while (!input.readLine().isEmpty()) {
                    }
                    char[] body = new char[BODY.length];
                    int length = 0;
                    while (length < body.length) {
                        length += input.read(body, length, body.length - length);
                    }
                    posts.add(new String(body));
                    if (posts.size() > 1) {
                        String answer = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                        line.getOutputStream().write(answer.getBytes(StandardCharsets.UTF_8));
                    }
                }
            }
        } catch (IOException end) {
            System.exit(1);
        }
    }

    static String old(URI uri) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
        connection.setDoOutput(true);
        connection.setRequestMethod("POST");
        connection.getOutputStream().write(BODY);
        return "told " + connection.getResponseCode();
    }

    static String present(URI uri) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofByteArray(BODY)).build();
        return "told " + HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
    }

    public static void main(String[] args) throws Exception {
        server = new ServerSocket(0, 8, InetAddress.getLoopbackAddress());
        Thread thread = new Thread(Find::serve);
        thread.setDaemon(true);
        thread.start();
        URI uri = URI.create("http://127.0.0.1:" + server.getLocalPort() + "/");
        String end;
        try {
            end = args[0].equals("HttpClient") ? present(uri) : old(uri);
        } catch (IOException error) {
            end = "an error";
        }
        System.out.println("posted " + String.join(", ", posts) + "; " + end);
    }
}
JAVA

check() {
  local expected=$1 found
  shift
  found=$(timeout 60 "$java/bin/java" "$@")
  echo "$*: $found"
  [ "$found" = "$expected" ] || { echo "it is another matter now"; exit 1; }
}
check "posted hello, hello; told 201" Find.java HttpURLConnection
check "posted hello; an error" -Dsun.net.http.retryPost=false Find.java HttpURLConnection
check "posted hello; an error" Find.java HttpClient
echo "as found: HttpURLConnection of Java 17 posts twice where the answer is missing"
