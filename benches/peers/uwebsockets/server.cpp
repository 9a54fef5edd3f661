// The smallest room server on uWebSockets: `/room/N` joins, each message is published to everyone in the room.
//
//   uwebsockets [--port N]

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "App.h"

struct Member {
  std::string room;
};

int main(int argc, char **argv) {
  bool has_port = argc == 3 && std::string_view(argv[1]) == "--port";
  if (argc > 1 && !has_port) {
    std::fputs("usage: uwebsockets [--port N]\n", stderr);
    return 2;
  }
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::signal(SIGTERM, [](int) { _exit(0); });

  uWS::App app;
  uWS::App::WebSocketBehavior<Member> room = {
      .compression = uWS::DISABLED,
      .idleTimeout = 0,
      // What a slow member may hold before it is sent nothing more.
      .maxBackpressure = 8 << 20,
      .sendPingsAutomatically = false,
      .upgrade =
          [](auto *response, auto *request, auto *context) {
            response->template upgrade<Member>({std::string(request->getUrl())},
                                               request->getHeader("sec-websocket-key"),
                                               request->getHeader("sec-websocket-protocol"),
                                               request->getHeader("sec-websocket-extensions"), context);
          },
      .open = [](auto *member) { member->subscribe(member->getUserData()->room); },
      .message =
          [&app](auto *member, std::string_view message, uWS::OpCode opcode) {
            app.publish(member->getUserData()->room, message, opcode);
          },
  };
  app.ws<Member>("/room/:number", std::move(room));
  app.listen("127.0.0.1", has_port ? std::atoi(argv[2]) : 0, [](us_listen_socket_t *listener) {
    if (!listener) std::exit(1);
    std::printf("listening 127.0.0.1:%d\n", us_socket_local_port(0, reinterpret_cast<us_socket_t *>(listener)));
    std::fflush(stdout);
  });
  app.run();
  return 1;
}
