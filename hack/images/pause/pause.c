/* Holds the namespaces of a pod: waits for orphans, and for the signal to end. */
#include <signal.h>
#include <sys/wait.h>

int main(void) {
    sigset_t signals;
    int signal = 0;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    /* Blocked, not handled: process 1 gets only the signals it asks for, and none can come between two waits. */
    sigprocmask(SIG_BLOCK, &signals, 0);
    while (signal != SIGINT && signal != SIGTERM) {
        sigwait(&signals, &signal);
        while (waitpid(-1, 0, WNOHANG) > 0) {
        }
    }
    return 0;
}
