// Numbered UDP streams through a tunnel, and when each packet left and came. roaming.py runs it and reads what it writes.
//
//   probe FILE NAMESPACE ADDRESS RATE NAMESPACE ADDRESS RATE
//
// Two ends, mobile node first: a network namespace, an IPv4 address in it, and packets a second that go to the other end, 0 for none.
// FILE is mapped: for each way (from the first end, from the second) five counters, then CAPACITY times of leaving and CAPACITY times
// of arrival by number, in ns of CLOCK_REALTIME, 0 for never. Arrivals are the kernel's, so that they do not tell when this program
// got to run. A line says that it streams; it does until it is killed, or until CAPACITY packets have left.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CAPACITY = 1 << 20, OCTETS = 64, PORT = 7001, BATCH = 64, COUNTERS = 4096, SLIP_NS = 10 * 1000 * 1000 };
#define SECOND UINT64_C(1000000000)

// In the order that roaming.py reads.
struct counters {
  _Atomic uint64_t sent, refused, arrived, repeated, last_arrival, unused[3];
};

// What goes from one end to the other.
struct way {
  struct counters *counters;
  uint64_t *left, *came;
  int from, to;
  struct sockaddr_in destination;
  uint64_t interval, next;
};

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

// A socket in a namespace, on an address; the thread stays in that namespace.
static int socket_in(const char *namespace, struct sockaddr_in *address) {
  char path[256];
  snprintf(path, sizeof path, "/run/netns/%s", namespace);
  int there = open(path, O_RDONLY | O_CLOEXEC), on = 1, room = 8 << 20;
  if (there < 0 || setns(there, CLONE_NEWNET)) fail(path);
  close(there);
  int made = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (made < 0 || setsockopt(made, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on)) fail("socket");
  if (setsockopt(made, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room)) fail("receive buffer");
  if (bind(made, (struct sockaddr *)address, sizeof *address)) fail("bind");
  return made;
}

// When the kernel took a packet in.
static uint64_t arrival(struct msghdr *message) {
  for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each)) {
    struct timespec time;
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SO_TIMESTAMPNS) continue;
    memcpy(&time, CMSG_DATA(each), sizeof time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
  }
  return now();
}

static void note(struct way *way, uint64_t number, uint64_t at) {
  if (number >= CAPACITY) return;
  if (way->came[number]) {
    way->counters->repeated++;
    return;
  }
  way->came[number] = at;
  way->counters->last_arrival = at;
  way->counters->arrived++;
}

static void *receive(void *argument) {
  struct way *way = argument;
  uint8_t payloads[BATCH][OCTETS], controls[BATCH][64];
  struct mmsghdr messages[BATCH];
  struct iovec places[BATCH];
  for (;;) {
    for (int i = 0; i < BATCH; i++) {
      places[i] = (struct iovec){payloads[i], OCTETS};
      messages[i].msg_hdr = (struct msghdr){
          .msg_iov = &places[i], .msg_iovlen = 1, .msg_control = controls[i], .msg_controllen = sizeof controls[i]};
    }
    int count = recvmmsg(way->to, messages, BATCH, MSG_WAITFORONE, NULL);
    if (count < 0 && errno != EINTR) return NULL;
    for (int i = 0; i < count; i++) {
      uint64_t number;
      if (messages[i].msg_len != OCTETS) continue;
      memcpy(&number, payloads[i], sizeof number);
      note(way, number, arrival(&messages[i].msg_hdr));
    }
  }
}

// What is due of a way; it slips rather than to send a burst where this program was late.
static void send_due(struct way *way, uint64_t time) {
  uint8_t payload[OCTETS] = {0};
  if (!way->interval || time < way->next) return;
  if (time - way->next > SLIP_NS) way->next = time;
  for (; way->next <= time; way->next += way->interval) {
    uint64_t number = way->counters->sent;
    if (number >= CAPACITY) return;
    memcpy(payload, &number, sizeof number);
    way->left[number] = now();
    way->counters->sent++;
    struct sockaddr *to = (struct sockaddr *)&way->destination;
    if (sendto(way->from, payload, sizeof payload, MSG_DONTWAIT, to, sizeof way->destination) < 0) way->counters->refused++;
  }
}

static void stream(struct way ways[2]) {
  // A pace that others' work does not disturb: what is measured is the tunnel. Where it is not allowed, the sender's own hole shows it.
  sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 10});
  prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
  ways[0].next = ways[1].next = now();
  for (;;) {
    uint64_t time = now(), next = time + SECOND;
    for (int i = 0; i < 2; i++) {
      send_due(&ways[i], time);
      if (ways[i].interval && ways[i].next < next) next = ways[i].next;
    }
    struct timespec until = {(time_t)(next / SECOND), (long)(next % SECOND)};
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
  }
}

int main(int count, char **words) {
  if (count != 8) {
    fprintf(stderr, "probe FILE NAMESPACE ADDRESS RATE NAMESPACE ADDRESS RATE\n");
    return 2;
  }
  struct sockaddr_in addresses[2];
  int sockets[2];
  for (int i = 0; i < 2; i++) {
    addresses[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT)};
    if (inet_pton(AF_INET, words[3 * i + 3], &addresses[i].sin_addr) != 1) fail(words[3 * i + 3]);
    sockets[i] = socket_in(words[3 * i + 2], &addresses[i]);
  }
  size_t size = COUNTERS + 4 * sizeof(uint64_t) * CAPACITY;
  int file = open(words[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || ftruncate(file, (off_t)size)) fail(words[1]);
  uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (map == MAP_FAILED) fail("mmap");
  uint64_t *times = (uint64_t *)(map + COUNTERS);
  struct way ways[2];
  for (int i = 0; i < 2; i++) {
    double rate = atof(words[3 * i + 4]);
    ways[i] = (struct way){
        .counters = (struct counters *)map + i, .left = times + 2 * i * CAPACITY, .came = times + (2 * i + 1) * CAPACITY,
        .from = sockets[i], .to = sockets[1 - i], .destination = addresses[1 - i],
        .interval = rate > 0 ? (uint64_t)((double)SECOND / rate) : 0};
    pthread_t thread;
    if (pthread_create(&thread, NULL, receive, &ways[i])) fail("thread");
  }
  puts("streaming");
  fflush(stdout);
  stream(ways);
}
