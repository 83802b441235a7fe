# cmake -DCC= -DMACHINE= -DNM= -DOBJCOPY= -DOBJECTS=a.o,b.o -DAPI=PATTERN -DOUTPUT= -P single_object_script.cmake
string(REPLACE "," ";" objects "${OBJECTS}")
separate_arguments(machine UNIX_COMMAND "${MACHINE}")
set(join ${CC} ${machine} -r -nostdlib -o) # by the compiler, which knows the machine
set(run COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${join} ${OUTPUT}.all ${objects} ${run})
execute_process(COMMAND ${OBJCOPY} --wildcard --keep-global-symbol=${API} ${OUTPUT}.all ${run})
# objcopy changes no visibility; joining takes the most constrained one, so an object of hidden references hides what it names
execute_process(COMMAND ${NM} --defined-only --extern-only --format=posix ${OUTPUT}.all OUTPUT_VARIABLE names ${run})
string(REGEX REPLACE "([^ \n]+)[^\n]*\n" ".hidden \\1\n" hidden "${names}")
file(WRITE ${OUTPUT}.s "${hidden}.section .note.GNU-stack,\"\",%progbits\n")
execute_process(COMMAND ${join} ${OUTPUT} ${OUTPUT}.all ${OUTPUT}.s ${run})
file(REMOVE ${OUTPUT}.all ${OUTPUT}.s)
