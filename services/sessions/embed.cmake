# cmake -DINPUT=file -DOUTPUT=file.c -DNAME=symbol -P embed.cmake: a file as a C array.
file(READ ${INPUT} content HEX)
string(LENGTH "${content}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," content "${content}")
string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n" content
       "${content}")
file(WRITE ${OUTPUT} "#include \"embedded.h\"\n\n"
     "const unsigned char ${NAME}[] = {\n${content}\n};\n"
     "const size_t ${NAME}_size = ${size};\n")
