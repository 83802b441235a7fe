# A static library in which only the API has names, and from which no shared object that holds a copy exports them: two copies in a process,
# of different versions perhaps, then never call each other.

# clattn_single_object(OUT OBJECTS API): one .o of an object library; of its global names those that match API stay, with hidden visibility.
function(clattn_single_object out objects api)
    target_compile_options(${objects} PRIVATE -fno-lto) # names of link-time optimisation cannot be hidden
    string(REGEX MATCHALL "(^| )-(m|-target=)[^ ]*" machine "${CMAKE_C_FLAGS}")
    set(single ${CMAKE_CURRENT_BINARY_DIR}/generated/${objects}.o)
    add_custom_command(OUTPUT ${single}
        COMMAND ${CMAKE_COMMAND} "-DCC=${CMAKE_C_COMPILER}" "-DMACHINE=${machine}" "-DNM=${CMAKE_NM}" "-DOBJCOPY=${CMAKE_OBJCOPY}"
            "-DOBJECTS=$<JOIN:$<TARGET_OBJECTS:${objects}>,,>" "-DAPI=${api}" -DOUTPUT=${single}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/tools/cmake/single_object_script.cmake
        DEPENDS $<TARGET_OBJECTS:${objects}> ${CMAKE_CURRENT_SOURCE_DIR}/tools/cmake/single_object_script.cmake
        COMMENT "Joining ${objects}" COMMAND_EXPAND_LISTS VERBATIM)
    set_source_files_properties(${single} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    set(${out} ${single} PARENT_SCOPE)
endfunction()
