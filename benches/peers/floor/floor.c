/* The floor: what the kernel alone costs a room server over loopback.
 *
 *   floor [--port N] [--mode 0|1]
 *
 * The first bytes of a connection are taken for its HTTP head and answered with one prebuilt response; the head
 * says the room, `GET /room/N`. Nothing after that is parsed. All messages of one connection have one length,
 * which its first message tells; that message, unmasked, is the one frame which all its messages become. A read
 * that brings k whole messages sends k of these frames to each member of the room:
 *
 *   --mode 0   in one send() per member: a server that coalesces what one read has brought
 *   --mode 1   in one send() per message and member: a server that does not
 *
 * It relies on what holds for its load generator over loopback: a head, and a connection's first message, come
 * in one piece; clients send text of one length, and nothing else but a close frame. It says so and closes the
 * connection where that is seen not to hold.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  /* Rooms are numbered below this. */
  ROOMS_MAX = 1 << 16,
  /* Bytes of one read, and so of the longest head or message. */
  READ_MAX = 64 << 10,
  /* Bytes that one send() may carry; more frames than fit are sent in portions. */
  SEND_MAX = 256 << 10,
  /* Bytes that may wait for one slow member; beyond that it is closed. */
  WAITING_MAX = 8 << 20,
  EVENTS_MAX = 1024,
  OPCODE_TEXT = 1,
  OPCODE_CLOSE = 8,
};

/* The key is the sample of RFC 6455 section 1.3, which the generator always sends. */
static const char RESPONSE[] =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    "\r\n";

struct connection {
  /* -1 until the head has come. */
  int room;
  /* Its index among the members of the room. */
  int place;
  /* Of each message that it sends; 0 until the first has come. */
  uint32_t message_len;
  /* Bytes of a message whose rest is still to come. */
  uint32_t partial;
  /* Its one frame, `frame_count` times end to end. */
  char *frames;
  uint32_t frame_len, frame_count;
  /* What its socket did not take: `waiting_len` bytes from `waiting_from` on. */
  uint32_t waiting_from, waiting_len;
  char *waiting;
};

struct room {
  int *members;
  int count, capacity;
};

static struct connection *connections; /* by descriptor */
static size_t connections_max;
static struct room rooms[ROOMS_MAX];
static int poller, listener;
static bool one_send_each;
static char input[READ_MAX];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void *grown(void *bytes, size_t len) {
  bytes = realloc(bytes, len);
  if (!bytes) die("realloc");
  return bytes;
}

static void watch(int fd, int operation, uint32_t events) {
  struct epoll_event event = {.events = events | EPOLLET, .data.fd = fd};
  if (epoll_ctl(poller, operation, fd, &event) < 0) die("epoll_ctl");
}

/* --- members ------------------------------------------------------------------------------------------------ */

static void join(int fd, int number) {
  struct room *room = &rooms[number];
  if (room->count == room->capacity) {
    room->capacity = room->capacity ? 2 * room->capacity : 4;
    room->members = grown(room->members, (size_t)room->capacity * sizeof *room->members);
  }
  connections[fd].room = number;
  connections[fd].place = room->count;
  room->members[room->count++] = fd;
}

static void end(int fd) {
  struct connection *connection = &connections[fd];
  if (connection->room >= 0) {
    struct room *room = &rooms[connection->room];
    int last = room->members[--room->count];
    room->members[connection->place] = last;
    connections[last].place = connection->place;
  }
  free(connection->frames);
  free(connection->waiting);
  close(fd);
}

/* Ends a connection at its next event, so that none of this turn's meets a descriptor that is another's by then. */
static void refuse(int fd, const char *why) {
  fprintf(stderr, "floor: %s\n", why);
  shutdown(fd, SHUT_RDWR);
}

/* --- sending ------------------------------------------------------------------------------------------------ */

/* Keeps what a socket did not take. */
static void keep(int fd, const char *bytes, size_t len) {
  struct connection *to = &connections[fd];
  if (to->waiting_len + len > WAITING_MAX) {
    refuse(fd, "a member does not read");
    return;
  }
  if (to->waiting_len == 0) watch(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
  memmove(to->waiting, to->waiting + to->waiting_from, to->waiting_len);
  to->waiting_from = 0;
  to->waiting = grown(to->waiting, to->waiting_len + len);
  memcpy(to->waiting + to->waiting_len, bytes, len);
  to->waiting_len += len;
}

static void deliver(int fd, const char *bytes, size_t len) {
  ssize_t sent = 0;
  if (!connections[fd].waiting_len) {
    sent = send(fd, bytes, len, MSG_NOSIGNAL);
    if (sent == (ssize_t)len) return;
    if (sent < 0) {
      /* Any other failure is an event of that descriptor, which ends it. */
      if (errno != EAGAIN) return;
      sent = 0;
    }
  }
  keep(fd, bytes + sent, len - (size_t)sent);
}

static void flush(int fd) {
  struct connection *to = &connections[fd];
  ssize_t sent = send(fd, to->waiting + to->waiting_from, to->waiting_len, MSG_NOSIGNAL);
  if (sent < 0) return;
  to->waiting_from += sent;
  to->waiting_len -= sent;
}

static void broadcast(int number, const char *bytes, size_t len) {
  const struct room *room = &rooms[number];
  for (int place = 0; place < room->count; place++) deliver(room->members[place], bytes, len);
}

/* Sends `count` frames of a connection to its room. */
static void relay(struct connection *from, uint32_t count) {
  uint32_t most = one_send_each ? 1 : SEND_MAX / from->frame_len;
  uint32_t portion = count < most ? count : most;
  if (portion > from->frame_count) {
    from->frames = grown(from->frames, (size_t)portion * from->frame_len);
    for (uint32_t at = from->frame_count; at < portion; at++)
      memcpy(from->frames + at * from->frame_len, from->frames, from->frame_len);
    from->frame_count = portion;
  }
  for (; count; count -= portion) {
    if (portion > count) portion = count;
    broadcast(from->room, from->frames, (size_t)portion * from->frame_len);
  }
}

/* --- receiving ---------------------------------------------------------------------------------------------- */

/* Makes the frame that all of a connection's messages become of its first one. */
static bool learn(struct connection *from, const unsigned char *bytes, size_t len) {
  if (len < 8 || bytes[0] != (0x80 | OPCODE_TEXT)) return false;
  size_t payload_len = bytes[1] & 0x7f, at = 2;
  if (payload_len == 127) return false;
  if (payload_len == 126) payload_len = (size_t)bytes[2] << 8 | bytes[3], at = 4;
  const unsigned char *mask = bytes + at;
  at += 4;
  if (at + payload_len > len) return false;

  /* As it came, without the bit that says that there is a mask, and without the mask. */
  size_t header_len = at - 4;
  char *frame = grown(NULL, header_len + payload_len);
  memcpy(frame, bytes, header_len);
  frame[1] &= 0x7f;
  for (size_t i = 0; i < payload_len; i++) frame[header_len + i] = (char)(bytes[at + i] ^ mask[i % 4]);

  from->message_len = at + payload_len;
  from->frames = frame;
  from->frame_len = header_len + payload_len;
  from->frame_count = 1;
  return true;
}

static void answer_head(int fd, size_t len) {
  static const char LINE[] = "GET /room/", END[] = "\r\n\r\n";
  size_t line_len = sizeof LINE - 1, end_len = sizeof END - 1;
  bool whole = len > line_len + end_len && !memcmp(input, LINE, line_len);
  whole = whole && !memcmp(input + len - end_len, END, end_len);
  unsigned long room = whole ? strtoul(input + line_len, NULL, 10) : ROOMS_MAX;
  if (room >= ROOMS_MAX) {
    refuse(fd, "no head of a request for /room/N");
    return;
  }
  join(fd, (int)room);
  deliver(fd, RESPONSE, sizeof RESPONSE - 1);
}

/* Counts the messages in `len` bytes of input and relays them. Returns whether the peer goes on. */
static bool count(int fd, size_t len) {
  struct connection *from = &connections[fd];
  if (!from->message_len && !learn(from, (unsigned char *)input, len)) {
    if ((input[0] & 0x0f) != OPCODE_CLOSE) fprintf(stderr, "floor: no text message in one piece\n");
    return false;
  }
  size_t whole = from->partial + len;
  uint32_t messages = whole / from->message_len;
  uint32_t partial = whole % from->message_len;
  bool closes = partial && partial <= len && (input[len - partial] & 0x0f) == OPCODE_CLOSE;
  from->partial = partial;
  if (messages) relay(from, messages);
  return !closes;
}

static void receive(int fd, uint32_t events) {
  for (;;) {
    ssize_t len = recv(fd, input, READ_MAX, 0);
    if (len < 0 && errno == EAGAIN) return;
    if (len <= 0) break;
    if (connections[fd].room < 0) answer_head(fd, (size_t)len);
    else if (!count(fd, (size_t)len)) break;
    /* A short read has drained the socket: the next byte is a new edge. */
    if (len < READ_MAX) {
      if (events & EPOLLRDHUP) break;
      return;
    }
  }
  end(fd);
}

static void accept_all(void) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0 && errno == EAGAIN) return;
    if (fd < 0 && errno == ECONNABORTED) continue;
    if (fd < 0 || (size_t)fd >= connections_max) die("accept");
    connections[fd] = (struct connection){.room = -1};
    watch(fd, EPOLL_CTL_ADD, EPOLLIN | EPOLLRDHUP);
  }
}

/* --- the program -------------------------------------------------------------------------------------------- */

static void on_terminate(int signal_number) {
  (void)signal_number;
  _exit(0);
}

static void listen_on(uint16_t port) {
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t addr_len = sizeof addr;
  int on = 1;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  /* Accepted sockets inherit TCP_NODELAY. */
  if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) die("SO_REUSEADDR");
  if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) die("TCP_NODELAY");
  if (bind(listener, (struct sockaddr *)&addr, addr_len) < 0) die("bind");
  if (listen(listener, 4096) < 0) die("listen");
  if (getsockname(listener, (struct sockaddr *)&addr, &addr_len) < 0) die("getsockname");
  watch(listener, EPOLL_CTL_ADD, EPOLLIN);
  printf("listening 127.0.0.1:%d\n", ntohs(addr.sin_port));
  fflush(stdout);
}

static unsigned long number_up_to(const char *text, unsigned long most) {
  char *rest;
  unsigned long number = strtoul(text, &rest, 10);
  if (*text == '\0' || *rest != '\0' || number > most) {
    fprintf(stderr, "floor: not a number of at most %lu: %s\n", most, text);
    exit(2);
  }
  return number;
}

int main(int argc, char **argv) {
  static const struct option OPTIONS[] = {
      {"port", required_argument, NULL, 'p'},
      {"mode", required_argument, NULL, 'm'},
      {NULL, 0, NULL, 0},
  };
  uint16_t port = 0;
  for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
    switch (option) {
      case 'p': port = (uint16_t)number_up_to(optarg, UINT16_MAX); break;
      case 'm': one_send_each = number_up_to(optarg, 1) == 1; break;
      default: return 2;
    }
  }
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) < 0) die("getrlimit");
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) < 0) die("setrlimit");
  connections_max = files.rlim_max;
  connections = calloc(connections_max, sizeof *connections);
  poller = epoll_create1(0);
  if (!connections || poller < 0) die("start");
  signal(SIGTERM, on_terminate);
  listen_on(port);

  static struct epoll_event events[EVENTS_MAX];
  for (;;) {
    int ready = epoll_wait(poller, events, EVENTS_MAX, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all();
        continue;
      }
      if (events[i].events & EPOLLOUT && connections[fd].waiting_len) flush(fd);
      if (events[i].events & ~(uint32_t)EPOLLOUT) receive(fd, events[i].events);
    }
  }
}
