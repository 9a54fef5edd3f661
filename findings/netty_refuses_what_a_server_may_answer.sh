#!/usr/bin/env bash
# Guess:   a WebSocket client that offers `permessage-deflate` takes each answer that RFC 7692 lets a server give, also
#          `server_no_context_takeover` (7.1.1.1) and `client_no_context_takeover` (7.1.1.2), which may be in an answer
#          when they were not in the offer: a server that keeps no context for its clients says both.
# Truth:   Netty's `WebSocketClientCompressionHandler`, whose handshaker has all its flags off, refuses both, and the
#          connection fails: "invalid WebSocket Extension handshake". A flag that is named `requestedServerNoContext` makes it
#          require the first parameter, so that one client cannot take both kinds of server.
# Version: Netty 4.1.48, as in Debian 12 (1:4.1.48-7+deb12u2). Source: `handshakeExtension` in
#          PerMessageDeflateClientExtensionHandshaker; later versions take the first parameter always (netty/netty #11413).
# So:      towards such a server `new PerMessageDeflateClientExtensionHandshaker(6, false, 15, true, true)` in a
#          `WebSocketClientExtensionHandler`, or no compression.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq libnetty-java=1:4.1.48-7+deb12u2 2>/dev/null
dpkg -x libnetty-java*.deb .

cat >Find.java <<'JAVA'
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionData;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateClientExtensionHandshaker;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

class Find {
    static final String SERVER = "server_no_context_takeover", CLIENT = "client_no_context_takeover";

    static boolean takes(PerMessageDeflateClientExtensionHandshaker handshaker, String... parameters) {
        Map<String, String> answer = new HashMap<>();
        Arrays.stream(parameters).forEach(name -> answer.put(name, null));
        return handshaker.handshakeExtension(new WebSocketExtensionData("permessage-deflate", answer)) != null;
    }

    static void check(String name, PerMessageDeflateClientExtensionHandshaker handshaker, Boolean... expected) {
        List<Boolean> found = List.of(
            takes(handshaker), takes(handshaker, SERVER), takes(handshaker, CLIENT), takes(handshaker, SERVER, CLIENT));
        System.out.printf("%-18s takes no parameter: %-5s server's: %-5s client's: %-5s both: %s%n",
            name, found.get(0), found.get(1), found.get(2), found.get(3));
        if (!found.equals(List.of(expected))) {
            throw new AssertionError("other answers are taken now");
        }
    }

    public static void main(String[] args) {
        check("as the handler has", new PerMessageDeflateClientExtensionHandshaker(), true, false, false, false);
        check("both flags on", new PerMessageDeflateClientExtensionHandshaker(6, false, 15, true, true), false, true, false, true);
    }
}
JAVA
timeout 100 java -cp "$(printf '%s:' usr/share/java/netty-*.jar)" Find.java
echo "as found: Netty 4.1.48 refuses an answer with server_no_context_takeover or client_no_context_takeover"
