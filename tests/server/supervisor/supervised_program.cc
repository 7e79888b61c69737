// supervised_program --data-dir D --device X --threads N: takes the device's lock, writes its process id into it and
// waits for the end of its input. With a file D/crash it ends at once, with exit code 3.
#include <unistd.h>

#include <filesystem>
#include <string>

#include "core/base/data_folder.h"
#include "core/base/file.h"

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const graft::DataFolder data{argv[2]};
  if (std::filesystem::exists(data.root + "/crash")) return 3;
  const auto lock = graft::FileLock::TryAcquire(data.worker_lock(argv[4]), std::to_string(getpid()) + "\n");
  if (!lock.ok()) return 75;
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}
