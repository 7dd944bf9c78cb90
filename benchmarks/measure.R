# The other half of measure.py: time, extra memory and numbers of one call in R, printed as one line of JSON.

memory <- function(field) {
  line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

number <- function(value) formatC(value, digits = 17, format = "g", width = 1)

# `call` is a function without arguments that returns numbers.
report <- function(call) {
  invisible(gc(full = TRUE))
  cat("5", file = "/proc/self/clear_refs")
  before <- memory("VmRSS")
  spent <- system.time(answer <- call(), gcFirst = FALSE)
  cat(sprintf(
    '{"seconds": %s, "processor_seconds": %s, "megabytes": %s, "answer": "[%s]"}\n',
    number(spent[["elapsed"]]), number(spent[["user.self"]] + spent[["sys.self"]]),
    number(memory("VmHWM") - before), paste(number(answer), collapse = ", ")
  ))
}

# Columns are raw little-endian files, one per variable, so that reading costs R no more than it must.
read_column <- function(folder, name, what, size) {
  file <- file.path(folder, name)
  readBin(file, what, n = file.size(file) / size, size = size, endian = "little")
}
