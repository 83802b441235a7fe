# The first C block of the README must be the text of an example that the tests compile and run.
file(READ ${README} readme)
file(READ ${EXAMPLE} example)
string(FIND "${readme}" "```c\n${example}```" at)
if(at LESS 0)
    message(FATAL_ERROR "README.md does not hold ${EXAMPLE} as a C block")
endif()
